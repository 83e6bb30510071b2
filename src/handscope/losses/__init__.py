"""What is to be learnt: supervised terms, consistency, the detector's terms, and their sum."""
