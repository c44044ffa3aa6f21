"""The far end of the runs' tool calls: a server on loopback that remembers who asked for what, when, and how."""

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import Self

from aiohttp import web


@dataclass(slots=True)
class Effect:
    """One call as it came in; `answered` is empty while it is under way, and stays so when nobody waits any more."""

    number: int
    run_id: str
    step: str
    key: str
    arrived: float
    answered: float | None = None


class EffectServer:
    """POST /effect is answered after the body's delay_ms with the number of the call; runs in a thread of its own."""

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.deaths: list[float] = []  # when a poisonous step said that it would end its worker
        self.port = 0
        self.ready = threading.Event()

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self.port}"

    def of(self, run_id: str) -> list[Effect]:
        """The calls of one run in the order in which they came."""
        return [effect for effect in list(self.effects) if effect.run_id == run_id]

    async def _effect(self, request: web.Request) -> web.Response:
        key = request.headers.get("Idempotency-Key", "")
        run_id, _, step = key.partition(":")
        given = request.headers.get("X-Run-ID", run_id)
        effect = Effect(len(self.effects) + 1, given, step, key, time.time())
        self.effects.append(effect)
        body = await request.json()
        await asyncio.sleep(float(body.get("delay_ms") or 0) / 1000)
        effect.answered = time.time()
        return web.json_response({"call": effect.number})

    async def _death(self, _: web.Request) -> web.Response:
        self.deaths.append(time.time())
        return web.json_response({})

    async def _serve(self) -> None:
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_post("/effect", self._effect)
        app.router.add_post("/death", self._death)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096, shutdown_timeout=0.1)
        await site.start()
        self.port = runner.addresses[0][1]
        self.ready.set()
        await self.over.wait()
        await runner.cleanup()

    def _run(self) -> None:
        asyncio.run(self._serve())  # which ends the calls that nobody waits for any more

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.ready.wait(10), "the effect server does not listen"
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(10)
