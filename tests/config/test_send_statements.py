"""Transactions in one round trip on an event loop: what comes back, and what a fault leaves behind."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

from accounts.models import Tenant
from orchestration.engine.journal.connection import EngineConnection
from orchestration.engine.journal.connections import connect

INSERT = (
    "INSERT INTO accounts_tenant (id, name, open_registration, weight, created_at)"
    " VALUES (%(id)s, %(name)s, false, 1, now())"
)
NAME = "SELECT name FROM accounts_tenant WHERE id = %s"
LOCK = "SELECT pg_advisory_xact_lock(%s)"
pytestmark = pytest.mark.django_db(transaction=True)


def on_connection(work: Callable[[EngineConnection], Awaitable[Any]]) -> Any:
    """What the work returns, on a connection of its own."""

    async def main() -> Any:
        async with await connect() as connection:
            return await work(connection)

    return asyncio.run(main())


async def insert(connection: EngineConnection, *ids: str) -> list[list[dict[str, Any]]]:
    return await connection.execute_transaction([(INSERT, {"id": id, "name": id.upper()}) for id in ids])


def test_each_statement_has_its_rows_and_all_are_committed() -> None:
    async def work(connection: EngineConnection) -> Any:
        await insert(connection, "a", "b")
        return await connection.execute_transaction(
            [(NAME, ["a"]), ("DISCARD PLANS", []), ("SELECT %s::text || '%%' AS sign", ["100"]), (NAME, ["missing"])]
        )

    assert on_connection(work) == [[{"name": "A"}], [], [{"sign": "100%"}], []]
    assert Tenant.objects.count() == 2


def test_when_one_statement_fails_none_has_an_effect_and_the_connection_serves_on() -> None:
    async def work(connection: EngineConnection) -> Any:
        with pytest.raises(psycopg.errors.UniqueViolation):
            await insert(connection, "a", "a")
        with pytest.raises(psycopg.errors.UndefinedTable):
            await connection.execute_transaction([(INSERT, {"id": "b", "name": "B"}), ("SELECT FROM missing", [])])
        await insert(connection, "c")
        return await connection.execute_transaction([(NAME, ["a"]), (NAME, ["b"]), (NAME, ["c"])])

    assert on_connection(work) == [[], [], [{"name": "C"}]]


def test_a_value_that_cannot_be_sent_is_refused_before_anything_goes_out() -> None:
    async def work(connection: EngineConnection) -> Any:
        with pytest.raises(psycopg.ProgrammingError):
            await connection.execute_transaction([(INSERT, {"id": "a", "name": object()})])
        return await insert(connection, "b")

    assert on_connection(work) == [[]]


def test_who_is_cancelled_while_waiting_leaves_a_closed_connection() -> None:
    async def work(connection: EngineConnection) -> bool:
        async with await connect() as other:
            await other.execute("SELECT pg_advisory_lock(4711)")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.execute_transaction([(LOCK, [4711])]), 0.2)
        return connection.closed

    assert on_connection(work)


def test_a_session_that_has_lost_what_was_prepared_is_given_up() -> None:
    async def work(connection: EngineConnection) -> bool:
        await connection.execute_transaction([(NAME, ["a"])])
        await connection.execute("DEALLOCATE ALL", prepare=False)
        with pytest.raises(psycopg.OperationalError):
            await connection.execute_transaction([(NAME, ["a"])])
        return connection.closed

    assert on_connection(work)
