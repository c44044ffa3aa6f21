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

import psycopg
from django.apps import apps
from django.db import connections

from config.database.address import ConnectionParameters

CONNECTED, DISCONNECTED, ERROR = "connected", "disconnected", "error"
PATIENCE_S = 2.5
FRESH_S = 0.5  # so old an answer is used again: anybody may call the health routes, at any rate
NO_ANSWER = "The database does not answer; look at DATABASE_URL and at its server."
REFUSES = "The database refuses the connection; its log says why. Look at user, password and name in DATABASE_URL."
NOT_MIGRATED = "The database lacks tables or columns of this release; run: python -m config.launch prepare"
APPLIED_MIGRATIONS = "SELECT app, name FROM django_migrations"
# A connection that broke silently is given up after seconds, so that the next question uses another.
TIMEOUTS = {"connect_timeout": 2, "tcp_user_timeout": 5000, "keepalives_idle": 2, "keepalives_interval": 1}


@dataclass(frozen=True)
class DatabaseState:
    """connected, disconnected (nobody answers) or error (it answers, but cannot be worked with); what to do then."""

    state: str
    problem: str = ""


class Probe:
    """Asks one question at a time. Callers meanwhile wait for the same answer, none longer than PATIENCE_S."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.has_answer = threading.Event()
        self.asking = False
        self.asked_at = 0.0
        self.answer = DatabaseState(DISCONNECTED, NO_ANSWER)

    def state(self) -> DatabaseState:
        """The database's state, not older than FRESH_S."""
        with self.lock:
            if not self.asking and time.monotonic() - self.asked_at > FRESH_S:
                self.asking, self.asked_at = True, time.monotonic()
                self.has_answer = threading.Event()
                threading.Thread(target=self._ask, args=(self.has_answer,), name="database probe", daemon=True).start()
            has_answer = self.has_answer
        return self.answer if has_answer.wait(PATIENCE_S) else DatabaseState(DISCONNECTED, NO_ANSWER)

    def _ask(self, has_answer: threading.Event) -> None:
        answer = DatabaseState(ERROR, REFUSES)
        try:
            answer = ask()
        finally:
            with self.lock:
                self.asking, self.answer = False, answer
            has_answer.set()


def ask() -> DatabaseState:
    """Connect, and see which migrations were applied."""
    try:
        with psycopg.connect(**_parameters(), autocommit=True) as connection:
            applied_migrations = set(connection.execute(APPLIED_MIGRATIONS).fetchall())
    except psycopg.errors.UndefinedTable:
        return DatabaseState(ERROR, NOT_MIGRATED)
    except psycopg.OperationalError as error:
        # What the server itself says names how grave it is; all else is libpq, that found nobody.
        return DatabaseState(ERROR, REFUSES) if "FATAL" in str(error) else DatabaseState(DISCONNECTED, NO_ANSWER)
    except psycopg.Error:
        return DatabaseState(ERROR, REFUSES)
    return DatabaseState(CONNECTED) if migrations() <= applied_migrations else DatabaseState(CONNECTED, NOT_MIGRATED)


def _parameters() -> ConnectionParameters:
    """How DATABASE_URL is reached, as the role that it names; without the options of ordinary connections."""
    parameters = connections["default"].get_connection_params()
    omitted_options = ("context", "cursor_factory", "prepare_threshold", "options")
    return {name: value for name, value in parameters.items() if name not in omitted_options} | TIMEOUTS


@cache
def migrations() -> frozenset[tuple[str, str]]:
    """(app, name) of each migration that the installed apps have; the files are listed, not imported."""
    names = set()
    for app in apps.get_app_configs():
        if find_spec(f"{app.name}.migrations") is None:
            continue
        folder = getattr(import_module(f"{app.name}.migrations"), "__path__", ())
        names |= {(app.label, module.name) for module in iter_modules(folder) if module.name[0] not in "_~"}
    return frozenset(names)


PROBE = Probe()
