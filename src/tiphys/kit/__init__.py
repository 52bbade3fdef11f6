"""Tools without domain words: JSON, YAML, clock, names, redaction, logging."""
