"""Several statements in one round trip: libpq's pipeline mode (PostgreSQL's documentation, "Pipeline Mode").

Requests and engines both use it (docs/decisions/022). All statements go out together with the Sync that ends them: a
session whose client falls silent between two statements of a pipeline counts as active, and
idle_in_transaction_session_timeout does not take its locks away.
"""

import select
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg import AsyncConnection, Connection, pq
from psycopg.abc import Buffer
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result

from config.database.socket_wait import Waiting, wait, wait_async
from config.database.statements import Values, parse

T = TypeVar("T")
Result = pq.abc.PGresult
Row = dict[str, Any]  # column → value
SUCCESS = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
UNKNOWN_STATEMENT = b"26000"  # SQLSTATE: the session does not know what was prepared on it


class Message(NamedTuple):
    """A statement and its values as they are sent; without a name PostgreSQL plans it for this once."""

    text: bytes
    values: Sequence[Buffer | None] | None = None
    name: bytes = b""


BEGIN, COMMIT, ROLLBACK = Message(b"BEGIN"), Message(b"COMMIT"), Message(b"ROLLBACK")


class Pipeline:
    """The statements of one connection, which is in autocommit mode. A statement is prepared where it is first sent."""

    def __init__(self, connection: Connection[Any] | AsyncConnection[Any], keeps_names: bool = True) -> None:
        """`keeps_names`: the session is this connection's own, so what is prepared on it is there the next time."""
        self.pgconn = connection.pgconn
        self.transformer: Any = Transformer.from_context(connection)
        self.keeps_names = keeps_names
        self.names: set[bytes] = set()  # of what is prepared on the session

    def message(self, statement: str, values: Values) -> Message:
        """The statement, which has `%s` or `%(name)s` for each value; psycopg.Error when a value cannot be sent."""
        parts = parse(statement)
        arguments = parts.arguments(values)
        dumps = self.transformer.dump_sequence(arguments, [PyFormat.TEXT] * len(arguments))
        return Message(parts.text, dumps, parts.name if self.keeps_names else b"")

    def send(self, messages: Sequence[Message]) -> list[Result]:
        """The result of each, in their order; psycopg.Error of the first that fails, what follows it is skipped."""
        return self._check(messages, *wait(self.pgconn, self._exchange(messages)))

    async def send_async(self, messages: Sequence[Message]) -> list[Result]:
        """The same on an event loop."""
        return self._check(messages, *await wait_async(self.pgconn, self._exchange(messages)))

    def transaction(self, messages: Sequence[Message]) -> list[Result]:
        """The results of a transaction whose BEGIN and COMMIT go out with them: when one fails none has an effect."""
        try:
            return self.send([BEGIN, *messages, COMMIT])[1:-1]
        except psycopg.Error:
            if self._is_open():
                self.send([ROLLBACK])
            raise

    async def transaction_async(self, messages: Sequence[Message]) -> list[Result]:
        """The same on an event loop."""
        try:
            return (await self.send_async([BEGIN, *messages, COMMIT]))[1:-1]
        except psycopg.Error:
            if self._is_open():
                await self.send_async([ROLLBACK])
            raise

    def first_row(self, result: Result) -> tuple[Any, ...] | None:
        """The result's first row, None without any."""
        return self._load(result, 1, tuple)[0] if result.ntuples else None

    def rows(self, result: Result) -> list[Row]:
        """The result's rows, by column."""
        names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
        return self._load(result, result.ntuples, lambda row: dict(zip(names, row, strict=True)))

    def _load(self, result: Result, count: int, make_row: Callable[[Sequence[Any]], T]) -> list[T]:
        self.transformer.set_pgresult(result)
        rows: list[T] = self.transformer.load_rows(0, count, make_row)
        self.transformer.set_pgresult(None)  # a large one is not kept until the next
        return rows

    def _is_open(self) -> bool:
        return self.pgconn.transaction_status in (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR)

    def _exchange(self, messages: Sequence[Message]) -> Waiting[tuple[list[Result], Result | None]]:
        """The results of the messages, and the first failure: of one of them or of its preparation."""
        new = {message.name for message in messages} - self.names - {b""}
        together = len(messages) + len(new) > 1
        if together:
            self.pgconn.enter_pipeline_mode()
        preparations = self._send(messages, new)
        if together:
            self.pgconn.pipeline_sync()
        while self.pgconn.flush():
            yield select.POLLIN | select.POLLOUT
        results: list[Result] = []
        failure: Result | None = None
        for name in preparations:
            result = yield from self._result()
            while (yield from self._next()) is not None:  # None ends what belongs to one statement
                continue
            if failure is None and result.status not in SUCCESS:
                failure = result
            if name is None:
                results.append(result)
            elif result.status in SUCCESS:  # it stays prepared, whatever becomes of the transaction
                self.names.add(name)
        if together:
            yield from self._result()  # of the Sync
            self.pgconn.exit_pipeline_mode()
        return results, failure

    def _send(self, messages: Sequence[Message], new: set[bytes]) -> list[bytes | None]:
        """For each result that will come: the name of the statement that it is the preparation of, None for others."""
        preparations: list[bytes | None] = []
        for text, values, name in messages:
            if name in new:
                new.discard(name)
                self.pgconn.send_prepare(name, text)
                preparations.append(name)
            if name:
                self.pgconn.send_query_prepared(name, values)
            else:
                self.pgconn.send_query_params(text, values)
            preparations.append(None)
        return preparations

    def _result(self) -> Waiting[Result]:
        result = yield from self._next()
        if result is None or self.pgconn.status == pq.ConnStatus.BAD:
            raise psycopg.OperationalError("the connection is lost")
        return result

    def _next(self) -> Waiting[Result | None]:
        while self.pgconn.is_busy():
            yield select.POLLIN
        return self.pgconn.get_result()

    def _check(self, messages: Sequence[Message], results: list[Result], failure: Result | None) -> list[Result]:
        if failure is not None:
            state = failure.error_field(pq.DiagnosticField.SQLSTATE)
            if state and state != UNKNOWN_STATEMENT:
                raise error_from_result(failure)
            self.pgconn.finish()  # libpq lost the connection, or the session what was prepared on it
            raise psycopg.OperationalError(failure.get_error_message() or "the connection is lost")
        if messages[-1] is COMMIT and results[-1].command_status == b"ROLLBACK":
            raise psycopg.errors.InFailedSqlTransaction("the transaction had failed; it was rolled back")
        return results
