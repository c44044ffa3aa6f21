"""The backend: DATABASES' ENGINE names this package.

BEGIN waits for the first statement, and what is written later() for the next one or COMMIT. With a prepared statement
or COMMIT they go in one round trip, which costs as much as the statements themselves; before any other they go alone.

The role travels with BEGIN, and with each statement outside of a transaction (roles.py says why). Where the session is
not our own, statements have no names there: another one of a pooler's clients may have used the name.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL
from psycopg import pq
from psycopg.types.string import TextLoader

from config.database import roles
from config.database.address import ConnectionParameters
from config.database.cursor import RoleCursor
from config.database.pipeline import BEGIN, COMMIT, ROLLBACK, Message, Pipeline, Result
from config.database.statements import Values


class DatabaseWrapper(PostgreSQL):
    """PostgreSQL, with BEGIN, COMMIT and prepared statements in one pipeline. psycopg stays in autocommit mode."""

    connection: psycopg.Connection | None
    pipeline: Pipeline  # of this connection
    pending: list[Message]  # what goes before the next statement
    begin_pending: bool  # before all of it goes BEGIN

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pending, self.begin_pending = [], False
        self.role_override: str | None = None  # None = the process' role

    @property
    def role(self) -> str:
        """The role of the transaction at hand, or else of the next one; empty for the owner."""
        return settings.DATABASE_ROLE if self.role_override is None else self.role_override

    def assume_role(self, role: str) -> None:
        """From now on work as this role: the transaction at hand, or without one what comes."""
        self.role_override = None if role == settings.DATABASE_ROLE else role
        pgconn = self.connection.pgconn if self.connection is not None else None
        healthy = pgconn is not None and pgconn.transaction_status == pq.TransactionStatus.INTRANS
        if healthy and not self.begin_pending and not self.needs_rollback:  # else a rollback brings the role back
            self.pending.append(Message(roles.set_role(role).encode()))

    def statement_prologue(self) -> tuple[str, ...]:
        """What has to go in one message with a statement: its role, when it stands in no transaction."""
        return () if self.in_atomic_block else roles.prologue(self.role, pooled=not self.pipeline.keeps_names)

    def get_connection_params(self) -> ConnectionParameters:
        """psycopg's parameters, with a cursor that minds the role."""
        return super().get_connection_params() | {"cursor_factory": partial(RoleCursor, self)}

    def get_new_connection(self, conn_params: ConnectionParameters) -> psycopg.Connection:
        """A connection on which nothing is prepared yet."""
        connection: psycopg.Connection = super().get_new_connection(conn_params)
        connection.adapters.register_loader("json", TextLoader)  # JSONField reads the text, as Django has it for jsonb
        self.pipeline = Pipeline(connection, keeps_names=False)
        self.pending, self.begin_pending = [], False
        return connection

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
        except psycopg.Error as error:
            if refusal := roles.refusal(self.role, connection.info.user, error.sqlstate):
                raise refusal from error
            raise
        if row is not None:
            user, tenant, pid, bypasses_rls = row
            roles.check(self.role, user, tenant, bypasses_rls)
            self.pipeline.keeps_names = pid == connection.info.backend_pid  # a pooler makes these numbers up

    def chunked_cursor(self) -> Any:
        """A cursor of the server's, within a transaction; outside of one it would need a session, and the role."""
        return super().chunked_cursor() if self.in_atomic_block else self._cursor()

    def _cursor(self, name: str | None = None) -> Any:
        self.ensure_connection()
        self._send_pending()
        return super()._cursor(name)

    def validate_no_broken_transaction(self) -> None:
        """Django asks before each statement of a cursor, which may be older than what is pending."""
        super().validate_no_broken_transaction()
        self._send_pending()

    def first_row(self, statement: str, values: Values) -> tuple[Any, ...] | None:
        """The first row that a statement with %s for each value returns, None without any; PostgreSQL plans it once."""
        self.ensure_connection()
        with self.wrap_database_errors:
            return self.pipeline.first_row(self._execute(statement, values))

    def execute_later(self, statement: str, values: Values) -> None:
        """Execute a statement that returns no rows: within a transaction with its next statement or COMMIT, where its
        errors are raised then.
        """
        if not self.in_atomic_block:
            self.first_row(statement, values)
            return
        with self.wrap_database_errors:
            self.pending.append(self.pipeline.message(statement, values))

    def _execute(self, statement: str, values: Values) -> Result:
        message = self.pipeline.message(statement, values)
        if self.in_atomic_block or not self.role:
            return self._send([message])[-1]
        return self.pipeline.transaction([*self._prologue(), message])[-1]

    def _prologue(self) -> tuple[Message, ...]:
        return _messages(roles.prologue(self.role, pooled=not self.pipeline.keeps_names))

    def _send_pending(self) -> None:
        if self.pending or self.begin_pending:
            with self.wrap_database_errors:
                self._send([])

    def _send(self, messages: Sequence[Message]) -> list[Result]:
        """The results of what is pending, which goes first, and of these."""
        begin = [BEGIN, *self._prologue()] if self.begin_pending else []
        messages = [*begin, *self.pending, *messages]
        self.pending, self.begin_pending = [], False
        return self.pipeline.send(messages)

    def _start_transaction_under_autocommit(self) -> None:
        self.pending, self.begin_pending = [], True

    def _commit(self) -> None:
        if self.connection is not None and (self.pending or not self.begin_pending):
            with self.wrap_database_errors:
                self._send([COMMIT])
        self.pending, self.begin_pending = [], False

    def _rollback(self) -> None:
        begin_sent = not self.begin_pending
        self.pending, self.begin_pending = [], False
        if self.connection is not None and begin_sent:
            with self.wrap_database_errors:
                self._send([ROLLBACK])

    def _savepoint_rollback(self, sid: str) -> None:
        self.pending = []  # of after the savepoint: what came before went with it
        super()._savepoint_rollback(sid)

    def _set_autocommit(self, autocommit: bool) -> None:
        if self.connection is not None and self.connection.autocommit != autocommit:
            super()._set_autocommit(autocommit)


@lru_cache
def _messages(statements: tuple[str, ...]) -> tuple[Message, ...]:
    return tuple(Message(statement.encode()) for statement in statements)
