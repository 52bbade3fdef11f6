"""Where passwords live."""
