"""The backend: DATABASES' ENGINE names this package.

BEGIN waits for the first statement, and what is written later() for the next one or COMMIT. With a prepared statement
or COMMIT they go in one round trip, which costs as much as the statements themselves; before any other they go alone.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import psycopg
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.types.string import TextLoader

from config.database import pipeline

DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


class DatabaseWrapper(PostgreSQL):
    """PostgreSQL, with BEGIN, COMMIT and prepared statements by libpq's own calls. psycopg stays in autocommit mode."""

    connection: psycopg.Connection | None
    transformer: Any  # psycopg's Transformer: it keeps how this connection's types are read and written
    prepared: dict[str, bytes]  # statement → its name on this connection
    waiting: list[pipeline.Send]  # what goes before the next statement

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting = []

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection:
        """A connection on which nothing is prepared yet."""
        made: psycopg.Connection = super().get_new_connection(conn_params)
        made.adapters.register_loader("json", TextLoader)  # JSONField reads the text, as Django has it for jsonb
        self.transformer, self.prepared, self.waiting = Transformer.from_context(made), {}, []
        return made

    def _cursor(self, name: str | None = None) -> Any:
        self.ensure_connection()
        self._send_waiting()
        return super()._cursor(name)

    def validate_no_broken_transaction(self) -> None:
        """Django asks before each statement of a cursor, which may be older than what waits."""
        super().validate_no_broken_transaction()
        self._send_waiting()

    def first_row(self, statement: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
        """The first row that a statement with %s for each value returns, None without any; PostgreSQL plans it once."""
        self.ensure_connection()
        with self.wrap_database_errors:
            result = self._first_row(statement, values)
            if not result.ntuples:
                return None
            self.transformer.set_pgresult(result)
            return self.transformer.load_row(0, tuple)

    def later(self, statement: str, values: Sequence[Any]) -> None:
        """Execute a statement that returns no rows: within a transaction with its next statement or COMMIT, where its
        errors are raised then.
        """
        if not self.in_atomic_block:
            self.first_row(statement, values)
            return
        with self.wrap_database_errors:
            execution = self._execution(statement, values)
        self.waiting.append(execution)

    def _first_row(self, statement: str, values: Sequence[Any]) -> pq.abc.PGresult:
        execution = self._execution(statement, values)  # which may send what waits
        return self._last_of([*self.waiting, execution])

    def _execution(self, statement: str, values: Sequence[Any]) -> pipeline.Send:
        name = self.prepared.get(statement)
        if name is None:
            self._send_waiting()
            name = b"regente_%d" % len(self.prepared)
            self._checked(self._wire().prepare(name, _numbered(statement)))
            self.prepared[statement] = name
        given = self.transformer.dump_sequence(values, [PyFormat.TEXT] * len(values))
        return partial(_execute, name, given)

    def _send_waiting(self) -> None:
        if self.waiting:
            with self.wrap_database_errors:
                self._last_of(self.waiting)

    def _last_of(self, sends: list[pipeline.Send]) -> pq.abc.PGresult:
        """Send these together; the last one's result, once all went well."""
        self.waiting = []
        return [self._checked(result) for result in pipeline.exchange(self._wire(), sends)][-1]

    def _start_transaction_under_autocommit(self) -> None:
        self.waiting = [pipeline.begin]

    def _commit(self) -> None:
        if self.connection is not None and self.waiting != [pipeline.begin]:
            with self.wrap_database_errors:
                ended = self._last_of([*self.waiting, pipeline.commit])
                if ended.command_status == b"ROLLBACK":  # which is how PostgreSQL says that a statement had failed
                    raise psycopg.errors.InFailedSqlTransaction("the transaction had failed; it was rolled back")
        self.waiting = []

    def _rollback(self) -> None:
        begun, self.waiting = pipeline.begin not in self.waiting, []
        if self.connection is not None and begun:
            with self.wrap_database_errors:
                self._checked(self._wire().exec_(b"ROLLBACK"))

    def _savepoint_rollback(self, sid: str) -> None:
        self.waiting = []  # of after the savepoint: what came before went with it
        super()._savepoint_rollback(sid)

    def _set_autocommit(self, autocommit: bool) -> None:
        if self.connection is not None and self.connection.autocommit != autocommit:
            super()._set_autocommit(autocommit)

    def _wire(self) -> pq.abc.PGconn:
        if self.connection is None or self.connection.closed:
            raise psycopg.OperationalError("the connection is closed")
        return self.connection.pgconn

    def _checked(self, result: pq.abc.PGresult) -> pq.abc.PGresult:
        """The result of what went well; otherwise psycopg's exception for it."""
        if result.status in DONE:
            return result
        if result.error_field(pq.DiagnosticField.SQLSTATE):
            raise error_from_result(result)
        if self.connection is not None:  # not PostgreSQL says so, but libpq: it has lost the connection
            self.connection.close()
        raise psycopg.OperationalError(result.get_error_message() or "the connection is lost")


def _execute(name: bytes, given: Sequence[Any], wire: pq.abc.PGconn) -> None:
    wire.send_query_prepared(name, given)


def _numbered(statement: str) -> bytes:
    """The statement with $1, $2 … in place of each %s."""
    first, *others = statement.split("%s")
    return (first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))).encode()
