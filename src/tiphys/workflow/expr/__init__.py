"""{{tags}}, expr-lang, govaluate conditions. Pure."""
