"""Typed, read-only lenses over workflow manifests; defaults, resolution, validation. Pure."""
