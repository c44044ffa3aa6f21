"""Django's database settings for a URL."""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from config.env import BadSetting


def database_settings(name: str, url: str) -> dict[str, Any]:
    """Django's DATABASES entry for a postgresql:// URL, whose query parameters are libpq's.

    BadSetting names the variable `name`, which has the URL.
    """
    try:
        parts = urlsplit(url)
        server_port = parts.port or ""
    except ValueError as error:
        raise BadSetting(name, f"is no URL ({error}); write postgresql://user:password@host:5432/regente") from None
    if parts.scheme not in {"postgres", "postgresql"}:
        raise BadSetting(name, "must start with postgresql://; Regente's engine needs PostgreSQL 14 or newer")
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "config.database",
        "NAME": unquote(parts.path.lstrip("/")) or "regente",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", None) or parts.hostname or "",
        "PORT": server_port,
        "CONN_MAX_AGE": None,  # a connection per web thread, kept; asgi.py drops the ones that the server closed
        "OPTIONS": {"connect_timeout": 5, **options},
    }
