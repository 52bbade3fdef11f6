"""The workflow engine: events in, changed nodes and commands out. Pure."""
