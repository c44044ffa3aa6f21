"""Two ways to the one database: ENGINE_DATABASE_URL leads to PostgreSQL itself, DATABASE_URL perhaps to a pooler."""

from typing import Any

from django.conf import settings
from django.db import connections

CONNECT_S = 5
NAMES = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
# Options of Django's connections that are not libpq's.
DJANGO_OPTIONS = {
    "prepare_threshold",
    "pool",
    "server_side_binding",
    "isolation_level",
    "assume_role",
    "cursor_factory",
}
DIRECT = "DIRECT"
ConnectionParameters = dict[str, Any]  # libpq's, and what psycopg takes beside them


def connect_by_web_address() -> None:
    """From now on the ORM's connections of this process are made to DATABASE_URL: before it opens any."""
    current = connections["default"].settings_dict
    if DIRECT not in current:
        current[DIRECT] = dict(current)
    current |= {name: settings.WEB_DATABASE[name] for name in (*NAMES.values(), "OPTIONS")}


def direct_parameters() -> ConnectionParameters:
    """libpq's connection parameters for a session of one's own."""
    current = connections["default"].settings_dict
    current = current.get(DIRECT, current)
    parameters = {key: current[name] for key, name in NAMES.items() if current.get(name)}
    options = {key: value for key, value in current["OPTIONS"].items() if key not in DJANGO_OPTIONS}
    return {"connect_timeout": CONNECT_S, **options, **parameters}
