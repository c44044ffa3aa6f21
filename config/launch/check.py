"""`python -m config.launch check web | worker | scheduler`: whether that part works here, for a container's health."""

import os
import socket

import psycopg

from config.launch.web import listen_address

ENGINES = "SELECT count(*) FROM orchestration_engine WHERE host = %s AND lease_until > now()"


def check(part: str) -> str:
    """What is wrong with the part; "" when it works."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    return CHECKS[part]()


def _web() -> str:
    return listen_address.liveness()


def _worker() -> str:
    """An engine of this host gives signs of life."""
    from config.settings import DATABASE_URL

    try:
        with psycopg.connect(DATABASE_URL, connect_timeout=5) as connection:
            engines = connection.execute(ENGINES, [socket.gethostname()]).fetchone()
    except psycopg.Error as fault:
        return f"the database cannot be asked: {type(fault).__name__}"
    return "" if engines and engines[0] else "no engine of this host is alive"


def _scheduler() -> str:
    import redis

    from config.processes import scheduler_heartbeat

    try:
        return "" if scheduler_heartbeat.is_alive() else "the scheduler gives no sign of life"
    except (redis.RedisError, OSError) as fault:
        return f"Redis, which has its heartbeat, cannot be asked: {type(fault).__name__}"


CHECKS = {"web": _web, "worker": _worker, "scheduler": _scheduler}
