"""Nautobot's configuration for tests: SQLite, no Redis, no worker, tables made from the models."""

import os
from pathlib import Path

from nautobot.core.settings import *  # noqa: F403


class _NoMigrations:
    """`migrate` makes the tables from the models: 10 s in place of 150 to 240 s of migrations."""

    def __contains__(self, app):
        return True

    def __getitem__(self, app):
        return None


ROOT = Path(os.environ["NAUTOBOT_ROOT"])
SECRET_KEY = "only for tests on loopback, with data made for them"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLATION_METRICS_ENABLED = False
METRICS_ENABLED = False
INSTALLED_APPS = [*INSTALLED_APPS, "nautobot_lite.apps.NautobotLite"]  # noqa: F405
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(ROOT / "nautobot.db"), "OPTIONS": {"timeout": 30}}
}
MIGRATION_MODULES = _NoMigrations()
CACHES = {"default": {"BACKEND": "nautobot_lite.cache.Cache"}}
CONSTANCE_DATABASE_CACHE_BACKEND = None
CELERY_BROKER_URL = "memory://"
CELERY_TASK_ALWAYS_EAGER = True
SESSION_ENGINE = "django.contrib.sessions.backends.db"
LOGGING = {"version": 1, "disable_existing_loggers": True}
