"""The backend: DATABASES' ENGINE names this package.

BEGIN waits for the first statement, and what is written later() for the next one or COMMIT. With a prepared statement
or COMMIT they go in one round trip, which costs as much as the statements themselves; before any other they go alone.

The role travels with BEGIN, and with each statement outside of a transaction (roles.py says why). Where the session is
not our own, statements have no names there: another one of a pooler's clients may have used the name.
"""

from collections.abc import Sequence
from functools import partial
from hashlib import blake2b
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.types.string import TextLoader

from config.database import pipeline, roles
from config.database.cursor import RoleCursor

DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


class DatabaseWrapper(PostgreSQL):
    """PostgreSQL, with BEGIN, COMMIT and prepared statements by libpq's own calls. psycopg stays in autocommit mode."""

    connection: psycopg.Connection | None
    transformer: Any  # psycopg's Transformer: it keeps how this connection's types are read and written
    prepared: dict[str, bytes]  # statement → its name on this connection
    waiting: list[pipeline.Send]  # what goes before the next statement
    beginning: bool  # before all that waits, BEGIN waits
    own_session: bool  # PostgreSQL itself is at the other end, not a pooler

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting, self.beginning, self.own_session = [], False, False
        self.acting_role: str | None = None  # None = the process' role

    @property
    def role(self) -> str:
        """The role of the transaction at hand, or else of the next one; empty for the owner."""
        return settings.DATABASE_ROLE if self.acting_role is None else self.acting_role

    def act_as(self, role: str) -> None:
        """From now on work as this role: the transaction at hand, or without one what comes."""
        self.acting_role = None if role == settings.DATABASE_ROLE else role
        wire = self.connection.pgconn if self.connection is not None else None
        healthy = wire is not None and wire.transaction_status == pq.TransactionStatus.INTRANS
        if healthy and not self.beginning and not self.needs_rollback:  # else whoever rolls back brings the role back
            self.waiting.append(partial(pipeline.statement, roles.assume(role).encode(), None))

    def opening_of_statement(self) -> tuple[str, ...]:
        """What has to go in one message with a statement: its role, when it stands in no transaction."""
        return () if self.in_atomic_block else roles.opening(self.role, pooled=not self.own_session)

    def get_connection_params(self) -> dict[str, Any]:
        """psycopg's parameters, with a cursor that minds the role."""
        return super().get_connection_params() | {"cursor_factory": partial(RoleCursor, self)}

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection:
        """A connection on which nothing is prepared yet."""
        made: psycopg.Connection = super().get_new_connection(conn_params)
        made.adapters.register_loader("json", TextLoader)  # JSONField reads the text, as Django has it for jsonb
        self.transformer, self.prepared = Transformer.from_context(made), {}
        self.waiting, self.beginning, self.own_session = [], False, False
        return made

    def init_connection_state(self) -> None:
        """Before anything is asked: this connection works as the role, or WrongRole and there is none."""
        if self.connection is None:
            return
        try:
            self._check_role(self.connection)
        except BaseException:
            self.connection.close()
            self.connection = None
            raise
        super().init_connection_state()

    def _check_role(self, connection: psycopg.Connection) -> None:
        try:
            row = connection.execute(roles.CHECK, [roles.TENANT_SETTING]).fetchone()
        except psycopg.Error as fault:
            if refusal := roles.refusal(self.role, connection.info.user, fault.sqlstate):
                raise refusal from fault
            raise
        if row is not None:
            user, tenant, pid, privileged = row
            roles.check(self.role, user, tenant, privileged)
            self.own_session = pid == connection.info.backend_pid  # a pooler makes these numbers up

    def chunked_cursor(self) -> Any:
        """A cursor of the server's, within a transaction; outside of one it would need a session, and the role."""
        return super().chunked_cursor() if self.in_atomic_block else self._cursor()

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
        if self.in_atomic_block or not self.role:
            return self._last_of([*self.waiting, execution])
        self.beginning = True
        wire = self._wire()
        try:
            return self._results([execution, pipeline.commit])[-2]
        finally:
            if wire.transaction_status == pq.TransactionStatus.INERROR:
                wire.exec_(b"ROLLBACK")

    def _execution(self, statement: str, values: Sequence[Any]) -> pipeline.Send:
        name = self.prepared.get(statement)
        if not self.own_session:
            given = self.transformer.dump_sequence(values, [PyFormat.TEXT] * len(values))
            return partial(pipeline.statement, _numbered(statement), given)
        if name is None:
            self._send_waiting()
            name = _name(statement)
            self._checked(self._wire().prepare(name, _numbered(statement)))
            self.prepared[statement] = name
        given = self.transformer.dump_sequence(values, [PyFormat.TEXT] * len(values))
        return partial(_execute, name, given)

    def _send_waiting(self) -> None:
        if self.waiting or self.beginning:
            with self.wrap_database_errors:
                self._last_of(self.waiting)

    def _last_of(self, sends: list[pipeline.Send]) -> pq.abc.PGresult:
        """Send these together; the last one's result, once all went well."""
        return self._results(sends)[-1]

    def _results(self, sends: list[pipeline.Send]) -> list[pq.abc.PGresult]:
        """Send these together, after BEGIN when it waits; all results, once all went well."""
        if self.beginning:
            opening = roles.opening(self.role, pooled=not self.own_session)
            sends = [pipeline.begin, *(partial(pipeline.statement, text.encode(), None) for text in opening), *sends]
        self.waiting, self.beginning = [], False
        return [self._checked(result) for result in pipeline.exchange(self._wire(), sends)]

    def _start_transaction_under_autocommit(self) -> None:
        self.waiting, self.beginning = [], True

    def _commit(self) -> None:
        if self.connection is not None and (self.waiting or not self.beginning):
            with self.wrap_database_errors:
                ended = self._last_of([*self.waiting, pipeline.commit])
                if ended.command_status == b"ROLLBACK":  # which is how PostgreSQL says that a statement had failed
                    raise psycopg.errors.InFailedSqlTransaction("the transaction had failed; it was rolled back")
        self.waiting, self.beginning = [], False

    def _rollback(self) -> None:
        begun, self.waiting, self.beginning = not self.beginning, [], False
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


def _name(statement: str) -> bytes:
    """A name that no other statement has: were the session shared after all, none could be taken for another."""
    return b"regente_" + blake2b(statement.encode(), digest_size=16).hexdigest().encode()


def _numbered(statement: str) -> bytes:
    """The statement with $1, $2 … in place of each %s."""
    first, *others = statement.split("%s")
    return (first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))).encode()
