"""The differences between SQLite and the databases Nautobot knows, filled in when Django loads this app."""

import json
from types import SimpleNamespace

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.backends.sqlite3 import base, features


class NautobotLite(AppConfig):
    """Named in INSTALLED_APPS."""

    name = "nautobot_lite"

    def ready(self):
        """Patch once, before the first query."""
        from nautobot.core.models import query_functions
        from nautobot.ipam import lookups

        features.DatabaseFeatures.supports_json_field_contains = True
        connection_created.connect(_add_functions)
        # Concurrent writers: a transaction that begins as a reader cannot wait for the lock later.
        base.DatabaseWrapper._start_transaction_under_autocommit = lambda self: self.cursor().execute("BEGIN IMMEDIATE")
        # Addresses are kept as bytes, as on MySQL: its lookups (HEX, BETWEEN) are good SQLite.
        lookups._connection = SimpleNamespace(vendor="mysql")
        query_functions.CollateAsChar.as_sqlite = _collate
        query_functions.JSONBAgg.as_sqlite = _aggregate


def _add_functions(sender, connection, **_):
    connection.connection.create_function("JSON_CONTAINS", 2, _json_contains, deterministic=True)


def _json_contains(target, candidate):
    return target is not None and candidate is not None and _contains(json.loads(target), json.loads(candidate))


def _contains(target, candidate):
    """As MySQL's JSON_CONTAINS."""
    if isinstance(target, dict) and isinstance(candidate, dict):
        return all(key in target and _contains(target[key], value) for key, value in candidate.items())
    if isinstance(target, list):
        wanted = candidate if isinstance(candidate, list) else [candidate]
        return all(any(_contains(item, value) for item in target) for value in wanted)
    return target == candidate and type(target) is type(candidate)


def _collate(self, compiler, connection, **context):
    return super(type(self), self).as_sql(compiler, connection, function="BINARY", **context)


def _aggregate(self, compiler, connection, **context):
    from django.db.models import Aggregate

    template = "JSON_GROUP_ARRAY(JSON(%(expressions)s))"
    return Aggregate.as_sql(self, compiler, connection, template=template, **context)
