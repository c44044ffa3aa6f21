"""What the figures were measured on."""

import os
import platform
from pathlib import Path

import redis
from django.conf import settings

from tests.bench.database import Database

SHOWN = ("fsync", "synchronous_commit", "full_page_writes", "wal_compression")


def facts(database: Database) -> dict[str, str]:
    """Name → value."""
    server = redis.Redis.from_url(settings.REDIS_URL).info("server")
    told = {
        "cores": str(_cores()),
        "CPU": _cpu(),
        "load at start": _load(),
        "Python": platform.python_version(),
        "PostgreSQL": database.one("SHOW server_version"),
        "Redis": server["redis_version"],
    }
    return told | {name: database.one(f"SHOW {name}") for name in SHOWN}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _load() -> str:
    load = os.getloadavg()[0]
    return f"{load:.1f}" + (" (others work here: the figures are too bad)" if load > _cores() / 2 else "")


def _cpu() -> str:
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
