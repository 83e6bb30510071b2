"""Other libraries' interfaces over our hands, for code that was written for them."""
