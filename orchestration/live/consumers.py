"""WebSocket monitors: who may watch, and how frames get to them. RunMonitor sends what a run's SSE stream does.

The first message greets; then each frame comes once, in order. A client that was cut off connects again with `?after=`
the last seq that it has received.
"""

import asyncio
import contextlib
import logging
from typing import ClassVar
from uuid import UUID

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http import QueryDict

from config.database.pipeline import Row
from config.errors import DomainError, RateLimited
from config.http.api_request import ApiHttpRequest
from config.http.renderers import dumps
from config.values.numbers import whole_number
from orchestration.live.feeds import Feed, FrameRenderer, feeds, frame_json
from orchestration.live.handshake import handshake_request
from orchestration.live.updates import MAX_EVENTS, MAX_UPDATE_BYTES, MAX_WINDOW, count_fitting, update
from orchestration.models import Run
from orchestration.pacer import UpdatePacer
from orchestration.runs.access import Access, caller_scope, readable_run, threads
from orchestration.serializers.runs import EventSerializer

log = logging.getLogger(__name__)
POLICY_VIOLATION, TRY_LATER, INTERNAL = 1008, 1013, 1011  # RFC 6455 §7.4.1 and its registry
MAX_REASON_BYTES = 123  # of a close: RFC 6455 §5.5
HEARTBEAT_S = 15.0
MAX_COMMANDS = 4_096  # bytes of a client's message


class EventRenderer:
    """A run of any kind: its events as GET /runs/{id}/events gives them."""

    def __init__(self, run: Run) -> None:
        self.run_id = run.id

    def frames(self, event: Row, seq: int) -> list[bytes]:
        """The event as one frame."""
        return [dumps(EventSerializer.render(event))]

    def greeting(self, after: int) -> bytes:
        """That the client is connected."""
        return dumps({"type": "connected", "runId": self.run_id, "seq": after})


class MonitorRefusal(Exception):
    """The client may not watch; `code` closes its socket."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Monitor(AsyncWebsocketConsumer):
    """A WebSocket that follows one run to its end."""

    kind: ClassVar[str] = ""  # the one kind of runs that this monitor knows
    whole: ClassVar[bool] = False  # whether a client that names no frame gets all of them, or only what comes

    def renderer(self, run: Run) -> FrameRenderer:
        """How the run is shown; called in a thread, where the ORM is fine."""
        raise NotImplementedError

    async def catch_up(self, feed: Feed, at: int) -> int:
        """Send the frames after this one; the number of the last one that there is."""
        raise NotImplementedError

    async def farewell(self, feed: Feed, at: int) -> None:
        """Send what comes after the last frame of a run that has ended; as a rule nothing."""

    async def connect(self) -> None:
        """Accept first: a client reads why it is refused only from a socket that was open."""
        await self.accept()
        self.sending: asyncio.Task[None] = asyncio.create_task(self._serve())

    async def disconnect(self, code: int) -> None:
        """The client has gone."""
        self.sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.sending

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Answer {"type": "ping"}; all else is ignored."""
        try:
            message = orjson.loads((text_data or bytes_data or "")[:MAX_COMMANDS])
        except orjson.JSONDecodeError:
            return
        if isinstance(message, dict) and message.get("type") == "ping":
            await self.send(frame_json(("pong", {}), None).decode())

    async def _serve(self) -> None:
        try:
            self.request: ApiHttpRequest = handshake_request(self.scope)
            renderer, run_id = await asyncio.get_running_loop().run_in_executor(threads, self._admit)
            async with feeds.watch(run_id, renderer) as feed:
                await self._watch(feed)
        except MonitorRefusal as refusal:
            await self.close(refusal.code, refusal.reason)
        except DomainError as refusal:
            code = TRY_LATER if isinstance(refusal, RateLimited) else POLICY_VIOLATION
            await self.close(code, refusal.message.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))
        except TimeoutError:
            log.warning("a monitor of %s takes nothing in, and is let go", self.scope["path"])
            await self.close(TRY_LATER, "You take nothing in; connect again with ?after= the last seq you have seen.")
        except Exception:
            log.exception("a monitor of %s broke off", self.scope["path"])
            await self.close(INTERNAL, "Connect again with ?after= the last seq you have seen.")

    async def _watch(self, feed: Feed) -> None:
        """Everything from where the client is, to the end of the run."""
        after = self.number("after")
        if after is not None and after > len(feed.frames):
            await feed.refresh()
        _refuse_broken(feed)
        at = self._place(feed, after)
        await self.send_in_time(feed.renderer.greeting(at))
        access = Access(self.request, str(feed.run_id), self._query("token"))
        while True:
            _refuse_broken(feed)
            at = await self.catch_up(feed, at)
            if feed.is_over:
                await self.farewell(feed, at)
                await self.close(1000)
                return
            if not await feed.wait(HEARTBEAT_S) and at == len(feed.frames):
                await self.send_in_time(frame_json(("heartbeat", {"after": at}), None))
            await access.renew()

    def _place(self, feed: Feed, after: int | None) -> int:
        """Where a client begins: behind this frame, or at the beginning when the run has no such frame."""
        if after is None:
            return 0 if self.whole else len(feed.frames)
        return after if after <= len(feed.frames) else 0

    async def send_in_time(self, text: bytes) -> None:
        """Send this; TimeoutError when the client takes nothing in."""
        async with asyncio.timeout(settings.MONITOR_SEND_S):
            await self.send(text.decode())

    def number(self, name: str) -> int | None:
        """A whole number of the query; None when there is none."""
        text = self._query(name)
        if not text:
            return None
        number = whole_number(text)
        if number is None or number < 0:
            raise MonitorRefusal(POLICY_VIOLATION, f"{name} must be a whole number: 0 or more.")
        return number

    def _query(self, name: str) -> str:
        return QueryDict(self.scope["query_string"]).get(name, "")

    def _admit(self) -> tuple[FrameRenderer, UUID]:
        """In a thread: the run and how it is shown, for one who may watch it; a DomainError otherwise."""
        with caller_scope(self.request, self._query("token")):
            run = readable_run(self.request, self.scope["url_route"]["kwargs"]["id"], self.kind)
            renderer = self.renderer(run)
        self.request.is_counted = True  # later looks are no requests
        return renderer, run.id


class RunMonitor(Monitor):
    """/ws/runs/{id}/monitor: the bodies of the run's SSE stream, each with its `seq`."""

    whole = True

    async def connect(self) -> None:
        """Begin with nothing sent."""
        self.pacer, self.status = UpdatePacer(), ""
        await super().connect()

    def renderer(self, run: Run) -> FrameRenderer:
        """The run's events."""
        return EventRenderer(run)

    async def catch_up(self, feed: Feed, at: int) -> int:
        """Send updates of the events after this one."""
        window = min(self.number("window") or 0, MAX_WINDOW)
        loop = asyncio.get_running_loop()
        self.status = self.status or feed.run["status"]
        while at < len(feed.frames) or feed.run["status"] != self.status:
            await asyncio.sleep(self.pacer.delay(loop.time()))
            self.status = feed.run["status"]
            first = max(min(at, len(feed.frames) - window), 0)
            events = feed.frames[first : first + MAX_EVENTS]
            at = first + count_fitting(events, at - first)
            is_last = at == len(feed.frames)
            body = update(_without_large_result(feed.run) if is_last else feed.run, events[: at - first], is_last)
            await self.send_in_time(b'%b,"seq":%d}' % (body[:-1], at))
            self.pacer.count(loop.time())
        return at

    async def farewell(self, feed: Feed, at: int) -> None:
        """Send how the run ended."""
        await self.send_in_time(dumps({"type": "complete", "status": feed.run["status"], "seq": at}))


def _without_large_result(run: Row) -> Row:
    """The run without a result that is too large for a message."""
    if len(dumps(run["result"])) <= MAX_UPDATE_BYTES:
        return run
    return run | {"result": {"truncated": True, "message": f"The whole result is in GET /api/v1/runs/{run['id']}."}}


def _refuse_broken(feed: Feed) -> None:
    if feed.is_broken:
        raise MonitorRefusal(TRY_LATER, "The database is away; connect again with ?after= the last seq you have seen.")
