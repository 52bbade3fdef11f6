"""What the command line prints: pure text out of objects; the moment and the colours come in as arguments."""
