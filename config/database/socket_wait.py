"""Waiting for a connection's socket: in a thread with poll(), on an event loop with its callbacks.

Both let other threads work, where PQgetResult would keep the interpreter locked.
"""

import asyncio
import select
from collections.abc import Generator
from typing import TypeVar

from psycopg import pq

T = TypeVar("T")
Waiting = Generator[int, None, T]  # yields poll()'s bits for what it waits for, and returns its result


def wait(pgconn: pq.abc.PGconn, work: Waiting[T]) -> T:
    """What the work returns. When it is interrupted the connection is closed: answers may still come, and nobody may
    take them for those of the next statement.
    """
    try:
        while True:
            poll = select.poll()
            poll.register(pgconn.socket, next(work))
            poll.poll()
            pgconn.consume_input()
    except StopIteration as end:
        result: T = end.value
        return result
    except BaseException:
        pgconn.finish()
        raise


async def wait_async(pgconn: pq.abc.PGconn, work: Waiting[T]) -> T:
    """The same on an event loop."""
    try:
        while True:
            await _ready(pgconn.socket, next(work))
            pgconn.consume_input()
    except StopIteration as end:
        result: T = end.value
        return result
    except BaseException:
        pgconn.finish()
        raise


async def _ready(socket: int, events: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def resolve() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(socket, resolve)
    if events & select.POLLOUT:
        loop.add_writer(socket, resolve)
    try:
        await ready
    finally:
        loop.remove_reader(socket)
        if events & select.POLLOUT:
            loop.remove_writer(socket)
