"""An engine's connection: psycopg's asynchronous one, and transactions that are sent in one piece."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from config.database.pipeline import Pipeline, Row
from config.database.statements import Values


class EngineConnection(AsyncConnection[Any]):
    """In autocommit mode, on a session of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.statements = Pipeline(self)
        self.planned_at = 0.0

    async def execute_transaction(self, statements: Sequence[tuple[str, Values]]) -> list[list[Row]]:
        """The rows of each statement, all executed in one transaction that is sent together with its COMMIT.

        So it takes one round trip, and a process that is frozen or cut off leaves no transaction open, whose locks
        others would wait for. Raises psycopg.Error of the first statement that fails; then none of them has an effect.
        """
        async with self.lock:
            messages = [self.statements.message(statement, values) for statement, values in statements]
            results = await self.statements.transaction_async(messages)
            return [self.statements.rows(result) for result in results]
