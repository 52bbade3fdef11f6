"""What each vendor does differently, as data."""
