"""A wire to PostgreSQL that breaks: what the client asked for was done, but the answer never comes.

That is what a failing network looks like from a worker. Only connections of engines are cut, and only in a storm.
"""

import asyncio
import random
import threading
import time
from pathlib import Path
from typing import Self

ENGINES = b"regente-engine"  # the application_name in an engine's first message
ANSWER_S = 0.05


class BrokenWire:
    """Listens on loopback, passes everything on to PostgreSQL's socket, and cuts one in so many requests' answers."""

    def __init__(self, socket: Path, dice: random.Random) -> None:
        self.socket, self.dice = socket, dice
        self.one_in = 0  # 0 = calm
        self.cuts: list[float] = []
        self.port = 0
        self.ready = threading.Event()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(str(self.socket))
        deaf = asyncio.Event()
        sending = asyncio.create_task(self._send(reader, back, deaf))
        answering = asyncio.create_task(self._answer(there, writer, deaf))
        await asyncio.wait([sending, answering], return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, answering):
            task.cancel()
        await asyncio.gather(sending, answering, return_exceptions=True)
        for end in (writer, back):
            end.close()

    async def _send(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, deaf: asyncio.Event) -> None:
        """Pass requests on until one is the last: it is still done, but its answer is not passed back."""
        is_engine = False
        while data := await reader.read(65536):
            is_engine = is_engine or ENGINES in data[:1024]
            last = is_engine and self.one_in and self.dice.randrange(self.one_in) == 0
            if last:
                deaf.set()
            back.write(data)
            await back.drain()
            if last:
                self.cuts.append(time.time())
                await asyncio.sleep(ANSWER_S)
                return

    async def _answer(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, deaf: asyncio.Event) -> None:
        while data := await there.read(65536):
            if not deaf.is_set():
                writer.write(data)
                await writer.drain()

    async def _serve(self) -> None:
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await self.over.wait()
        server.close()

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.thread.start()
        assert self.ready.wait(10), "the wire is not there"
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(10)
