"""Several statements in one round trip: libpq's pipeline mode (PostgreSQL's documentation, "Pipeline Mode").

Waiting is left to poll(), which lets other threads work: psycopg calls PQgetResult with the interpreter locked.
"""

import select
from collections.abc import Callable, Sequence

import psycopg
from psycopg import pq

Send = Callable[[pq.abc.PGconn], None]


def begin(wire: pq.abc.PGconn) -> None:
    """Send BEGIN."""
    wire.send_query_params(b"BEGIN", None)


def commit(wire: pq.abc.PGconn) -> None:
    """Send COMMIT."""
    wire.send_query_params(b"COMMIT", None)


def exchange(wire: pq.abc.PGconn, sends: Sequence[Send]) -> list[pq.abc.PGresult]:
    """The results of what is sent, in its order. After a failed one the others are skipped (PIPELINE_ABORTED)."""
    try:
        return _exchanged(wire, sends)
    except BaseException:  # answers may still come: nobody may take them for those of the next statement
        wire.finish()
        raise


def _exchanged(wire: pq.abc.PGconn, sends: Sequence[Send]) -> list[pq.abc.PGresult]:
    alone = len(sends) == 1
    if not alone:
        wire.enter_pipeline_mode()
    for send in sends:
        send(wire)
    if not alone:
        wire.pipeline_sync()
    while wire.flush():
        _wait(wire, select.POLLIN | select.POLLOUT)
    results = []
    for _ in sends:
        results.append(_result(wire))
        while _next(wire) is not None:  # None ends what belongs to one statement
            pass
    if not alone:
        _result(wire)  # of the sync
        wire.exit_pipeline_mode()
    return results


def _result(wire: pq.abc.PGconn) -> pq.abc.PGresult:
    result = _next(wire)
    if result is None or wire.status == pq.ConnStatus.BAD:
        raise psycopg.OperationalError("the connection is lost")
    return result


def _next(wire: pq.abc.PGconn) -> pq.abc.PGresult | None:
    while wire.is_busy():
        _wait(wire, select.POLLIN)
    return wire.get_result()


def _wait(wire: pq.abc.PGconn, events: int) -> None:
    poll = select.poll()
    poll.register(wire.socket, events)
    poll.poll()
    wire.consume_input()
