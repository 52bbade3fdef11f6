"""The shell around the engine: watches, commands, HTTP templates, TTL, pod GC."""
