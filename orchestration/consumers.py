"""WebSocket monitors: who may watch, and how frames get to them. RunMonitor tells any run's events as they are.

The first message says how the run stands (`after`: which frames that covers); then each frame comes once, in order.
A client that was cut off connects again with `?after=` the last seq that it has seen.
"""

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from http.cookies import CookieError, SimpleCookie
from typing import Any, ClassVar
from urllib.parse import parse_qs
from uuid import UUID

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http import HttpRequest

from accounts import tenancy
from accounts.authentication import Identity, authenticate_token, credential
from config import limits, origin
from config.database.threads import drop_dead_connections
from config.errors import DomainError, RateLimited, Unauthorized
from orchestration.feeds import Feed, Story, Told, feeds, frame
from orchestration.models import Run
from orchestration.serializers.runs import event_json, run_json

log = logging.getLogger(__name__)
POLICY_VIOLATION, TRY_LATER, INTERNAL = 1008, 1013, 1011  # RFC 6455 §7.4.1 and its registry
HEARTBEAT_S = 15.0
LOOK_AGAIN_S = 60.0  # whether the watcher still may
COMMANDS_MOST = 4_096  # bytes of a client's message
THREADS = 2
STATUS_OF = {"run_started": "running", "run_resumed": "running", "run_paused": "paused"}

threads = ThreadPoolExecutor(THREADS, "monitor")


class RunStory:
    """A run of any kind: its events as GET /runs/{id}/events gives them, and its status."""

    def __init__(self, run: Run) -> None:
        self.run = {name: value for name, value in run_json(run).items() if name in SHOWN}
        self.run["status"] = "pending"

    def tell(self, event: dict[str, Any]) -> list[Told]:
        """The event; and the status, when it is another one by that."""
        kind = event["kind"]
        frames: list[Told] = [("event", event_json(event))]
        status = STATUS_OF.get(kind) or (kind.removeprefix("run_") if kind in FINAL_EVENTS else None)
        if status:
            self.run["status"] = status
            frames.append(("status_update", dict(self.run)))
        return frames

    def snapshot(self) -> Told:
        """The run's status."""
        return "status_update", dict(self.run)


SHOWN = frozenset({"id", "kind", "workflow_id", "mode", "status", "parent_run_id", "created_at"})
FINAL_EVENTS = frozenset({"run_completed", "run_failed", "run_cancelled"})


class Refused(Exception):
    """Whoever asks may not watch."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class RunMonitor(AsyncWebsocketConsumer):
    """/ws/runs/{id}/monitor."""

    kind: ClassVar[str | None] = None  # the one kind of runs that this monitor knows

    def story(self, run: Run) -> Story:
        """How a run is told; called in a thread, where the ORM is fine."""
        return RunStory(run)

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
        """A client may say {"type": "ping"}; all else is its own affair."""
        try:
            said = orjson.loads((text_data or bytes_data or "")[:COMMANDS_MOST])
        except orjson.JSONDecodeError:
            return
        if isinstance(said, dict) and said.get("type") == "ping":
            await self.send(frame(("pong", {}), None))

    async def _serve(self) -> None:
        try:
            story, run_id = await self._admitted()
            async with feeds.watch(run_id, story) as feed:
                await self._tell(feed)
        except Refused as refusal:
            await self.close(refusal.code, refusal.reason)
        except TimeoutError:
            log.warning("a monitor of %s takes nothing in, and is let go", self.scope["path"])
            await self.close(TRY_LATER, "You take nothing in; connect again with ?after= the last seq you have seen.")
        except Exception:
            log.exception("a monitor of %s broke off", self.scope["path"])
            await self.close(INTERNAL, "Connect again with ?after= the last seq you have seen.")

    async def _tell(self, feed: Feed) -> None:
        """Everything from where the client is, to the end of the run."""
        after = self._after()
        if after is not None and after > len(feed.frames):
            await feed.look_again()
        at = len(feed.frames) if after is None else min(after, len(feed.frames))
        await self._send(feed.snapshot(at))
        loop = asyncio.get_running_loop()
        look_again = loop.time() + LOOK_AGAIN_S
        while True:
            while at < len(feed.frames):
                at += 1
                await self._send(feed.frames[at - 1])
            if feed.over:
                await self.close(1000)
                return
            if feed.broken:
                raise Refused(TRY_LATER, "The database is away; connect again with ?after= the last seq you have seen.")
            if not await feed.wait(HEARTBEAT_S) and at == len(feed.frames):
                await self._send(frame(("heartbeat", {"after": at}), None))
            if loop.time() > look_again:
                await self._admitted(again=True)
                look_again = loop.time() + LOOK_AGAIN_S

    async def _send(self, text: str) -> None:
        async with asyncio.timeout(settings.MONITOR_SEND_S):
            await self.send(text)

    def _after(self) -> int | None:
        given = self._query("after")
        if not given:
            return None
        if not (given.isascii() and given.isdigit()):
            raise Refused(POLICY_VIOLATION, "after must be the seq of a frame: 0 or more.")
        return int(given[:12])

    def _query(self, name: str) -> str:
        return parse_qs(self.scope["query_string"].decode("latin-1")).get(name, [""])[-1]

    async def _admitted(self, again: bool = False) -> tuple[Story, UUID]:
        return await asyncio.get_running_loop().run_in_executor(threads, self._admit, again)

    def _admit(self, again: bool) -> tuple[Story, UUID]:
        """In a thread: the run and how it is told, for one who may watch it; Refused otherwise. Only the first look
        counts as a request.
        """
        drop_dead_connections()
        request = _request(self.scope)
        request.counted = again  # type: ignore[attr-defined]
        origin.enter(origin.of(request))
        try:
            with tenancy.request_scope():
                identity = _identity(request, self._query("token"))
                return self._found(identity)
        except RateLimited as refusal:
            raise Refused(TRY_LATER, refusal.message[:120]) from None
        except DomainError as refusal:
            raise Refused(POLICY_VIOLATION, refusal.message[:120]) from None
        finally:
            origin.enter(None)

    def _found(self, identity: Identity) -> tuple[Story, UUID]:
        try:
            id = UUID(self.scope["url_route"]["kwargs"]["id"])
        except ValueError:
            raise Refused(POLICY_VIOLATION, "There is no such run.") from None
        rows = Run.objects.for_tenant(identity.tenant).filter(pk=id)
        run = (rows.filter(kind=self.kind) if self.kind else rows).first()
        if run is None or (run.kind == "conversation" and run.created_by != identity.user.pk):
            raise Refused(POLICY_VIOLATION, "There is no such run.")
        return self.story(run), run.id


def _identity(request: HttpRequest, token: str) -> Identity:
    """Who asks, by ?token=, Authorization, X-API-Key or our own pages' cookie; counted against the rate limits."""
    shown = token or credential(request)
    try:
        if shown is None:
            raise Unauthorized
        identity = authenticate_token(shown)
    except Unauthorized:
        limits.pass_address(request)
        raise
    limits.pass_caller(request, identity)
    return identity


def _request(scope: dict[str, Any]) -> HttpRequest:
    """The handshake as a request, so that it is judged like one. As one that writes: a page elsewhere may not use the
    cookie (a browser sends it along, and asks nobody).
    """
    request = HttpRequest()
    request.method = "POST"
    for name, value in scope["headers"]:
        request.META["HTTP_" + name.decode("latin-1").upper().replace("-", "_")] = value.decode("latin-1")
    client = scope.get("client") or ("", 0)
    request.META |= {"REMOTE_ADDR": client[0], "SERVER_NAME": "localhost", "SERVER_PORT": "80"}
    with contextlib.suppress(CookieError):
        cookies = SimpleCookie(request.META.get("HTTP_COOKIE", ""))
        request.COOKIES = {name: morsel.value for name, morsel in cookies.items()}
    return request
