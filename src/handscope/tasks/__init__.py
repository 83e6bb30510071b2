"""What a hand network may be asked, one task a file, and the one table of them (`table`)."""
