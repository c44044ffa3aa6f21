"""An engine's messages over Redis: it is woken, and publishes what has changed for those who follow runs. Redis may be
away.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from uuid import UUID

import orjson
import redis.asyncio as redis

from config.processes.task_supervisor import start_task
from orchestration.program.journal_entry import Entry
from orchestration.program.text_stream import TextPiece, TextWriter, queue_pieces
from orchestration.runs.subscription import Subscription, redis_client
from orchestration.runs.wake import ENGINES_CHANNEL, NOTIFY, RUNS_CHANNEL

log = logging.getLogger(__name__)
CLOSE_S = 2.0  # for the last message of an engine that ends


class Notifier:
    """Calls `wake(notify)` for each message to engines; publishes in bursts, off the journal's path."""

    def __init__(self, wake: Callable[[bool], None]) -> None:
        self.wake = wake
        self.client = redis_client()
        self.subscription = Subscription("wake_listener", ENGINES_CHANNEL, self._receive, self._wake_all)
        self.last_seqs: dict[str, int] = {}  # of runs that have changed
        self.notify = False
        self.pieces: list[TextPiece] = []
        self.event = asyncio.Event()
        self.publisher: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to receive and to publish."""
        self.subscription.start()
        self.publisher = start_task("change_publisher", self._run)

    def _receive(self, _channel: str, message: bytes) -> None:
        self.wake(message == NOTIFY)

    def _wake_all(self) -> None:
        self.wake(True)

    def publish_changes(self, entries: list[Entry], notify: bool) -> None:
        """Publish soon that these runs have changed; nothing waits for it."""
        for entry in entries:
            self.last_seqs[str(entry.run_id)] = max(entry.last_seq, self.last_seqs.get(str(entry.run_id), 0))
        self.notify = self.notify or notify
        self.event.set()

    def text_writer(self, run_id: UUID, step: str) -> TextWriter:
        """What publishes the pieces of a step's text, as they come."""
        return TextWriter(run_id, step, self._publish_piece)

    def _publish_piece(self, piece: TextPiece) -> None:
        self.pieces.append(piece)
        self.event.set()

    async def _run(self) -> None:
        while True:
            await self.event.wait()
            self.event.clear()
            await self._publish()

    async def _publish(self) -> None:
        last_seqs, self.last_seqs = self.last_seqs, {}
        notify, self.notify = self.notify, False
        pieces, self.pieces = self.pieces, []
        try:
            async with self.client.pipeline(transaction=False) as pipeline:
                if last_seqs:
                    pipeline.publish(RUNS_CHANNEL, orjson.dumps(last_seqs))
                if notify:
                    pipeline.publish(ENGINES_CHANNEL, NOTIFY)
                queue_pieces(pipeline, pieces)
                await pipeline.execute()
        except (redis.RedisError, OSError) as fault:
            log.warning("changes of runs are not published (%s); followers poll", type(fault).__name__)
        except Exception:  # whatever it was, it came with the pieces: the changes are published all the same
            self.last_seqs, self.notify = last_seqs | self.last_seqs, notify or self.notify
            self.event.set()
            raise

    async def close(self) -> None:
        """Publish what is left, and that there is work to take over."""
        self.notify = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._publish(), timeout=CLOSE_S)
        tasks = [task for task in (self.subscription.task, self.publisher) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.client.aclose()
