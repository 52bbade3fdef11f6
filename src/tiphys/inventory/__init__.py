"""Where devices are on record."""
