"""What people start: the command line. No science lives here."""
