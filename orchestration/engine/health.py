"""Whether an engine is alive, and how old the oldest waiting run is."""

import time
from typing import TypedDict

import psycopg
from django.db import Error, connection

from accounts.tenancy.tenant_model import everywhere
from config.database.address import direct_parameters
from config.database.session import VERIFIED_S, SharedSession, require_own_sessions
from config.processes.readiness import DOWN, READY, PartState, readiness_check

STATE = """
SELECT (SELECT count(*) FROM orchestration_engine WHERE lease_until > now() AND NOT draining AND NOT solitary),
       (SELECT coalesce(sum(running), 0) FROM orchestration_engine WHERE lease_until > now()),
       (SELECT extract(epoch FROM now() - min(due_at)) FROM orchestration_run
        WHERE owner IS NULL AND due_at IS NOT NULL AND due_at <= now()
            AND tenant_id NOT IN (SELECT id FROM accounts_tenant WHERE suspended))
"""


class EngineHealth(TypedDict):
    """`engines`: that live and claim; `running`: runs that they hold; `oldest_waiting_s`: of the due run that waits
    longest, None when none does.
    """

    engines: int
    running: int
    oldest_waiting_s: float | None


def engine_health() -> EngineHealth:
    """What the engines of all hosts report, and the queue of all tenants."""
    with everywhere(), connection.cursor() as cursor:  # the oldest waiting run is some tenant's
        cursor.execute(STATE)
        engines, running, waiting = cursor.fetchone()
    return {
        "engines": engines,
        "running": int(running),
        "oldest_waiting_s": round(float(waiting), 3) if waiting is not None else None,
    }


@readiness_check("engines")
def check_engines() -> PartState:
    """An engine is alive that claims runs."""
    try:
        health = engine_health()
    except Error:
        return PartState({"engines": 0}, DOWN, "The database does not answer, so nothing is known of the engines.")
    problem = "" if health["engines"] else "No engine is alive: start a worker (python -m config.launch worker)."
    return PartState({**health}, DOWN if problem else READY, problem)


_verified_at = float("-inf")  # when ENGINE_DATABASE_URL was last seen to be right


@readiness_check("engine_database")
def check_engine_database() -> PartState:
    """ENGINE_DATABASE_URL gives sessions of one's own; looked at once a minute while it does."""
    global _verified_at
    if time.monotonic() - _verified_at < VERIFIED_S:
        return PartState({"engine_database": "connected"})
    try:
        require_own_sessions(direct_parameters())
    except SharedSession as fault:
        return PartState({"engine_database": "shared"}, DOWN, str(fault))
    except psycopg.OperationalError:
        problem = "The database does not answer at ENGINE_DATABASE_URL; look at it and at its server."
        return PartState({"engine_database": "disconnected"}, DOWN, problem)
    _verified_at = time.monotonic()
    return PartState({"engine_database": "connected"})
