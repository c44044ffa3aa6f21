"""The engine's own connections to PostgreSQL (the ORM's stay with the web and with loader threads)."""

from collections.abc import Callable
from typing import Any

import orjson
from django.db import InterfaceError, OperationalError, connection, connections
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.types.json import set_json_loads

CONNECT_S = 5


def parameters() -> dict[str, Any]:
    """libpq's connection parameters of the default database."""
    wanted = connections["default"].settings_dict
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = {key: wanted[setting] for key, setting in named.items() if wanted.get(setting)}
    options = {key: value for key, value in wanted["OPTIONS"].items() if isinstance(value, str | int)}
    return {"connect_timeout": CONNECT_S, **options, **given, "options": "-c timezone=UTC"}


def connection_url() -> str:
    """The same as libpq's connection string."""
    return make_conninfo(**parameters())


async def connect() -> AsyncConnection:
    """A new connection in autocommit mode; JSON is read by orjson."""
    made = await AsyncConnection.connect(
        **parameters(), autocommit=True, application_name="regente-engine", prepare_threshold=2
    )
    set_json_loads(orjson.loads, made)
    return made


def in_loader(loader: Callable[[], Any]) -> Any:
    """The loader's value, read through the ORM in a thread; once more on a new connection when the old one was lost."""
    try:
        return loader()
    except (OperationalError, InterfaceError):
        connection.close()
        return loader()
