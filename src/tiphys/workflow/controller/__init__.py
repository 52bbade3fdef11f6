"""The shell around the engine: watch, hand events to the engine, commit its changes, carry out its commands."""
