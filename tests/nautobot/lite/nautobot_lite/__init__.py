"""What a real Nautobot needs to run on SQLite, in one process, with no Redis and no worker.

A Django app for Nautobot's own virtual environment, never for the project's; `nautobot_config.py` installs it.
Nautobot itself is not changed; what it asks of PostgreSQL is answered here in SQLite's words.
"""
