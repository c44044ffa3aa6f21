"""An engine's connection: psycopg's asynchronous one, and transactions that are sent in one piece."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from psycopg import AsyncConnection, OperationalError, pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result

from config.database import pipeline

Values = Mapping[str, Any] | Sequence[Any]
DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
FORGOTTEN = b"26000"  # there is no such prepared statement
PLACE = re.compile(r"%\((\w+)\)s|%s")


class EngineConnection(AsyncConnection[Any]):
    """In autocommit mode."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prepared: dict[str, bytes] = {}  # statement → its name
        self.planned_at = 0.0

    async def at_once(self, statements: Sequence[tuple[str, Values]]) -> list[list[dict[str, Any]]]:
        """The rows of each statement, all executed in one transaction that is sent together with its COMMIT.

        So it takes one round trip, and a process that is frozen or cut off leaves no transaction open, whose locks
        others would wait for. Raises psycopg.Error of the first statement that fails; then none of them has an effect.
        """
        async with self.lock:
            mapper = Transformer.from_context(self)
            sends: list[pipeline.Send] = [pipeline.begin]
            made: dict[str, tuple[int, bytes]] = {}  # statement → where it is prepared among them, and its name
            at: list[int] = []
            for statement, values in statements:
                text, order = _numbered(statement)
                if statement not in self.prepared and statement not in made:
                    made[statement] = (len(sends), b"engine_%d" % (len(self.prepared) + len(made)))
                    sends.append(partial(_prepare, made[statement][1], text))
                name = self.prepared.get(statement) or made[statement][1]
                given = [values[key] for key in order]  # type: ignore[index]
                at.append(len(sends))
                sends.append(partial(_execute, name, mapper.dump_sequence(given, [PyFormat.TEXT] * len(given))))
            results = await pipeline.exchange_async(self.pgconn, [*sends, pipeline.commit])
            for statement, (place, name) in made.items():  # what is prepared stays so, whatever became of the rest
                if results[place].status in DONE:
                    self.prepared[statement] = name
            await self._check(results)
        return [_rows(mapper, results[place]) for place in at]

    async def _check(self, results: list[pq.abc.PGresult]) -> None:
        failed = next((result for result in results if result.status not in DONE), None)
        if failed is None and results[-1].command_status != b"ROLLBACK":
            return
        if self.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            await pipeline.exchange_async(self.pgconn, [pipeline.rollback])
        state = failed.error_field(pq.DiagnosticField.SQLSTATE) if failed is not None else None
        if failed is not None and state and state != FORGOTTEN:
            raise error_from_result(failed)
        self.pgconn.finish()  # libpq has lost the connection, or the session what was prepared on it
        raise OperationalError("the connection is lost")


def _prepare(name: bytes, text: bytes, wire: pq.abc.PGconn) -> None:
    wire.send_prepare(name, text)


def _execute(name: bytes, given: Sequence[Any], wire: pq.abc.PGconn) -> None:
    wire.send_query_prepared(name, given)


def _rows(mapper: Any, result: pq.abc.PGresult) -> list[dict[str, Any]]:
    if not result.ntuples:
        return []
    mapper.set_pgresult(result)
    names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
    made: list[dict[str, Any]] = mapper.load_rows(0, result.ntuples, lambda row: dict(zip(names, row, strict=True)))
    return made


@lru_cache(maxsize=256)
def _numbered(statement: str) -> tuple[bytes, tuple[Any, ...]]:
    """The statement with $1, $2 … for its placeholders, and the key of each one's value."""
    order: list[Any] = []

    def number(place: re.Match[str]) -> str:
        key = place[1] or len(order)
        if key not in order:
            order.append(key)
        return f"${order.index(key) + 1}"

    return PLACE.sub(number, statement).encode(), tuple(order)
