"""The bench's own connection: counters of PostgreSQL, and whether the queue is empty."""

import time
from typing import Any

import psycopg

from config.database.address import direct_parameters

# A backend that has fallen idle tells its counters after ten seconds at the latest.
COUNTERS_LAG_S = 10.5
IDLE_S = 3.0
AT_WORK = """
SELECT EXISTS (SELECT FROM orchestration_run WHERE owner IS NOT NULL)
    OR EXISTS (SELECT FROM orchestration_run WHERE owner IS NULL AND due_at IS NOT NULL)
"""
COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
ENGINES = "SELECT pid FROM orchestration_engine WHERE lease_until > now()"
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = ANY(%s)"


class Database:
    """One connection in autocommit mode, which counts its own transactions."""

    def __init__(self) -> None:
        self.connection = psycopg.connect(**direct_parameters(), autocommit=True, application_name="bench")
        self.transactions = 0
        for name in ("enable_seqscan", "enable_bitmapscan"):  # its looks at the queue cost the product nothing
            self.connection.execute(f"SET {name} = off")

    def all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The query's rows."""
        self.transactions += 1
        return self.connection.execute(query, values or None).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        """The first column of the query's first row."""
        return self.all(query, *values)[0][0]

    def do(self, statement: str, *values: Any) -> None:
        """Carry out a statement that answers nothing."""
        self.transactions += 1
        self.connection.execute(statement, values or None)

    @property
    def at_work(self) -> bool:
        """True while a run is held or waits to be claimed."""
        return bool(self.one(AT_WORK))

    @property
    def engine_pids(self) -> list[int]:
        """The processes of the living engines."""
        return [row[0] for row in self.all(ENGINES)]

    def sessions(self, *names: str) -> int:
        """Connections of these applications."""
        return int(self.one(SESSIONS, list(names)))

    def wal(self) -> int:
        """Bytes of log written so far."""
        return int(self.one("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


class Commits:
    """Counts the transactions of everybody else, less those that they make when idle."""

    def __init__(self, database: Database) -> None:
        self.database = database
        time.sleep(COUNTERS_LAG_S)
        first = self._read()
        time.sleep(IDLE_S)
        self.before, self.began = self._read(), time.monotonic()
        self.idle_rate = (self.before - first) / IDLE_S

    def _read(self) -> int:
        own = self.database.transactions
        self.database.do("SELECT pg_stat_force_next_flush()")
        return int(self.database.one(COMMITS)) - own

    def since(self) -> float:
        """The transactions of the load, waited for until all backends have told."""
        time.sleep(COUNTERS_LAG_S)
        return self._read() - self.before - self.idle_rate * (time.monotonic() - self.began)
