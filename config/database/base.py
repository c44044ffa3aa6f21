"""The backend: DATABASES' ENGINE names this package."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result

DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


class DatabaseWrapper(PostgreSQL):
    """PostgreSQL, with BEGIN, COMMIT and prepared statements by libpq's own calls. psycopg stays in autocommit mode."""

    connection: psycopg.Connection | None
    transformer: Any  # psycopg's Transformer: it keeps how this connection's types are read and written
    prepared: dict[str, bytes]  # statement → its name on this connection

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection:
        """A connection on which nothing is prepared yet."""
        made: psycopg.Connection = super().get_new_connection(conn_params)
        self.transformer, self.prepared = Transformer.from_context(made), {}
        return made

    def first_row(self, statement: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
        """The first row that a statement with %s for each value returns, None without any; PostgreSQL plans it once."""
        self.ensure_connection()
        with self.wrap_database_errors:
            result = self._first_row(statement, values)
            if not result.ntuples:
                return None
            self.transformer.set_pgresult(result)
            return self.transformer.load_row(0, tuple)

    def _first_row(self, statement: str, values: Sequence[Any]) -> pq.abc.PGresult:
        wire = self._wire()
        name = self.prepared.get(statement)
        if name is None:
            name = b"regente_%d" % len(self.prepared)
            self._checked(wire.prepare(name, _numbered(statement)))
            self.prepared[statement] = name
        given = self.transformer.dump_sequence(values, [PyFormat.TEXT] * len(values))
        return self._checked(wire.exec_prepared(name, given))

    def _start_transaction_under_autocommit(self) -> None:
        with self.wrap_database_errors:
            self._say(b"BEGIN")

    def _commit(self) -> None:
        if self.connection is not None:
            with self.wrap_database_errors:
                self._say(b"COMMIT")

    def _rollback(self) -> None:
        if self.connection is not None:
            with self.wrap_database_errors:
                self._say(b"ROLLBACK")

    def _set_autocommit(self, autocommit: bool) -> None:
        if self.connection is not None and self.connection.autocommit != autocommit:
            super()._set_autocommit(autocommit)

    def _say(self, command: bytes) -> None:
        self._checked(self._wire().exec_(command))

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


def _numbered(statement: str) -> bytes:
    """The statement with $1, $2 … in place of each %s."""
    first, *others = statement.split("%s")
    return (first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))).encode()
