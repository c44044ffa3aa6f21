"""Several statements in one round trip: libpq's pipeline mode (PostgreSQL's documentation, "Pipeline Mode").

All of them go out together with the Sync that ends them. A session whose client falls silent between two statements of
a pipeline counts as active, and idle_in_transaction_session_timeout does not take its locks away.

Waiting is left to poll() or the event loop, which let others work: psycopg calls PQgetResult with the interpreter
locked.
"""

import asyncio
import select
from collections.abc import Callable, Generator, Sequence
from typing import Any

import psycopg
from psycopg import pq

Send = Callable[[pq.abc.PGconn], None]
Waits = Generator[int, None, list[pq.abc.PGresult]]  # what to wait for on the socket (poll's bits), then the results


def begin(wire: pq.abc.PGconn) -> None:
    """Send BEGIN."""
    wire.send_query_params(b"BEGIN", None)


def commit(wire: pq.abc.PGconn) -> None:
    """Send COMMIT."""
    wire.send_query_params(b"COMMIT", None)


def rollback(wire: pq.abc.PGconn) -> None:
    """Send ROLLBACK."""
    wire.send_query_params(b"ROLLBACK", None)


def statement(text: bytes, values: Sequence[Any] | None, wire: pq.abc.PGconn) -> None:
    """Send a statement that has no name, with a value for each of $1, $2 …"""
    wire.send_query_params(text, values)


def exchange(wire: pq.abc.PGconn, sends: Sequence[Send]) -> list[pq.abc.PGresult]:
    """The results of what is sent, in its order. After a failed one the others are skipped (PIPELINE_ABORTED)."""
    work = _exchange(wire, sends)
    try:
        while True:
            poll = select.poll()
            poll.register(wire.socket, next(work))
            poll.poll()
            wire.consume_input()
    except StopIteration as ended:
        results: list[pq.abc.PGresult] = ended.value
        return results
    except BaseException:  # answers may still come: nobody may take them for those of the next statement
        wire.finish()
        raise


async def exchange_async(wire: pq.abc.PGconn, sends: Sequence[Send]) -> list[pq.abc.PGresult]:
    """The same on an event loop, for a connection that is in libpq's non-blocking mode."""
    work = _exchange(wire, sends)
    try:
        while True:
            await _ready(wire.socket, next(work))
            wire.consume_input()
    except StopIteration as ended:
        results: list[pq.abc.PGresult] = ended.value
        return results
    except BaseException:
        wire.finish()
        raise


def _exchange(wire: pq.abc.PGconn, sends: Sequence[Send]) -> Waits:
    alone = len(sends) == 1
    if not alone:
        wire.enter_pipeline_mode()
    for send in sends:
        send(wire)
    if not alone:
        wire.pipeline_sync()
    while wire.flush():
        yield select.POLLIN | select.POLLOUT
    results = []
    for _ in sends:
        results.append((yield from _result(wire)))
        while (yield from _next(wire)) is not None:  # None ends what belongs to one statement
            pass
    if not alone:
        yield from _result(wire)  # of the sync
        wire.exit_pipeline_mode()
    return results


def _result(wire: pq.abc.PGconn) -> Generator[int, None, pq.abc.PGresult]:
    result = yield from _next(wire)
    if result is None or wire.status == pq.ConnStatus.BAD:
        raise psycopg.OperationalError("the connection is lost")
    return result


def _next(wire: pq.abc.PGconn) -> Generator[int, None, pq.abc.PGresult | None]:
    while wire.is_busy():
        yield select.POLLIN
    return wire.get_result()


async def _ready(socket: int, events: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(socket, tell)
    if events & select.POLLOUT:
        loop.add_writer(socket, tell)
    try:
        await ready
    finally:
        loop.remove_reader(socket)
        if events & select.POLLOUT:
            loop.remove_writer(socket)
