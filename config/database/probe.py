"""Whether the database is there, asked on a connection and a thread of its own: the answer comes in time even when the
database has stopped answering, and when all other threads wait for it.
"""

import threading
import time
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

import psycopg
from django.apps import apps
from django.db import connections

CONNECTED, DISCONNECTED, ERROR = "connected", "disconnected", "error"
PATIENCE_S = 2.5
FRESH_S = 0.5  # so old an answer is given again: health may be asked for by anybody, as often as they like
NOBODY = "The database does not answer; look at DATABASE_URL and at its server."
REFUSES = "The database refuses the connection; its log says why. Look at user, password and name in DATABASE_URL."
UNPREPARED = "The database lacks tables or columns of this release; run: python -m config.launch prepare"
APPLIED = "SELECT app, name FROM django_migrations"
# A wire that was cut without a word is given up after seconds, so that the next question takes another.
LIMITS = {"connect_timeout": 2, "tcp_user_timeout": 5000, "keepalives_idle": 2, "keepalives_interval": 1}


@dataclass(frozen=True)
class DatabaseState:
    """connected, disconnected (nobody answers) or error (it answers, but cannot be worked with); what to do then."""

    state: str
    problem: str = ""


class Probe:
    """Asks one question at a time. Who comes meanwhile waits for the same answer, and nobody longer than PATIENCE_S."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answered = threading.Event()
        self.asking = False
        self.asked_at = 0.0
        self.answer = DatabaseState(DISCONNECTED, NOBODY)

    def state(self) -> DatabaseState:
        """The database's state, not older than FRESH_S."""
        with self.lock:
            if not self.asking and time.monotonic() - self.asked_at > FRESH_S:
                self.asking, self.asked_at = True, time.monotonic()
                self.answered = threading.Event()
                threading.Thread(target=self._ask, args=(self.answered,), name="database probe", daemon=True).start()
            answered = self.answered
        return self.answer if answered.wait(PATIENCE_S) else DatabaseState(DISCONNECTED, NOBODY)

    def _ask(self, answered: threading.Event) -> None:
        answer = DatabaseState(ERROR, REFUSES)
        try:
            answer = ask()
        finally:
            with self.lock:
                self.asking, self.answer = False, answer
            answered.set()


def ask() -> DatabaseState:
    """Connect, and see which migrations were applied."""
    try:
        with psycopg.connect(**_parameters(), autocommit=True) as connection:
            applied = set(connection.execute(APPLIED).fetchall())
    except psycopg.errors.UndefinedTable:
        return DatabaseState(ERROR, UNPREPARED)
    except psycopg.OperationalError as fault:
        # What the server itself says names how grave it is; all else is libpq, that found nobody.
        return DatabaseState(ERROR, REFUSES) if "FATAL" in str(fault) else DatabaseState(DISCONNECTED, NOBODY)
    except psycopg.Error:
        return DatabaseState(ERROR, REFUSES)
    return DatabaseState(CONNECTED) if migrations() <= applied else DatabaseState(CONNECTED, UNPREPARED)


def _parameters() -> dict[str, Any]:
    """How DATABASE_URL is reached, as the role that it names; without what an ordinary connection is told beyond."""
    given = connections["default"].get_connection_params()
    beyond = ("context", "cursor_factory", "prepare_threshold", "options")
    return {name: value for name, value in given.items() if name not in beyond} | LIMITS


@cache
def migrations() -> frozenset[tuple[str, str]]:
    """(app, name) of each migration that the installed apps have; the files are listed, not imported."""
    found = set()
    for app in apps.get_app_configs():
        if find_spec(f"{app.name}.migrations") is None:
            continue
        folder = getattr(import_module(f"{app.name}.migrations"), "__path__", ())
        found |= {(app.label, module.name) for module in iter_modules(folder) if module.name[0] not in "_~"}
    return frozenset(found)


PROBE = Probe()
