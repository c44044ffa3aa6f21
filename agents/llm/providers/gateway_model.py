"""Model calls to the operator's gateway, without LiteLLM: it has the OpenAI form; answers are read as they are sent.

LiteLLM's reading would hide whether a stream came to its end, make tool calls of one index one, and cost 2 ms a call.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
import orjson

from agents.llm.chat_model import ModelRequest
from agents.llm.providers.answer_parts import Unreadable, provider_error
from agents.llm.providers.assembly import Answer, Assembler, whole_answer
from agents.llm.providers.failures import HTTPFailure, seconds_of
from agents.llm.providers.openai_parameters import openai_parameters
from agents.llm.providers.priced_model import PricedModel
from config.values.foreign_json import write_json

CONNECT_S = 10.0
MAX_BYTES = 32 * 1024 * 1024  # of one answer
END_S = 5.0  # how long usage and [DONE] are waited for once the finish reason has come
DRAIN_S = 0.1  # for the HTTP body's end after [DONE], so that the connection can be used again
END_OF_STREAM = "[DONE]"
JSON_HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}

_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = WeakKeyDictionary()


@dataclass(frozen=True)
class GatewayModel(PricedModel):
    """One model behind the gateway; its name goes there as the agent has it."""

    api_base: str
    api_key: str

    async def _answer(self, request: ModelRequest) -> Answer:
        headers = JSON_HEADERS | {"Authorization": f"Bearer {self.api_key}"}
        body = {"model": self.model, "messages": request.messages, **openai_parameters(self.model, request)}
        async with _session().post(
            _url(self.api_base), data=write_json(body), headers=headers, allow_redirects=False
        ) as response:
            if not 200 <= response.status < 300:
                raise await _http_failure(response)
            if _is_stream(response, request):
                return await _read_stream(response, request)
            answer = whole_answer(_parse(await _body(response)))
        if request.on_text and answer.text:  # a server that streams nothing
            request.on_text(answer.text)
        return answer


async def close() -> None:
    """End this event loop's connections; a later call opens new ones."""
    session = _sessions.pop(asyncio.get_running_loop(), None)
    if session:
        await session.close()


def _session() -> aiohttp.ClientSession:
    loop = asyncio.get_running_loop()
    session = _sessions.get(loop)
    if session is None or session.closed:
        session = _sessions[loop] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),  # the engine's slots are the limit
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,  # the operator's HTTPS_PROXY and NO_PROXY
        )
    return session


def _url(base: str) -> str:
    return base if "chat/completions" in base else f"{base.rstrip('/')}/chat/completions"


def _is_stream(response: aiohttp.ClientResponse, request: ModelRequest) -> bool:
    """Whether the body is a stream of events; servers that stream do not always say so, those that do not say JSON."""
    kind = response.content_type
    return "event-stream" in kind or (request.on_text is not None and "json" not in kind)


async def _read_stream(response: aiohttp.ClientResponse, request: ModelRequest) -> Answer:
    """The answer that the stream makes. What breaks after the finish reason breaks nothing."""
    assembler, loop, is_done = Assembler(), asyncio.get_running_loop(), False
    try:
        async with asyncio.timeout(None) as patience:
            async for data in _events(response):
                if is_done := data == END_OF_STREAM:
                    await _drain(response)
                    break
                text = assembler.take(_parse(data))
                if text and request.on_text:
                    request.on_text(text)
                if assembler.finish_reason and patience.when() is None:
                    patience.reschedule(loop.time() + END_S)
    except (aiohttp.ClientError, TimeoutError) as fault:
        if not assembler.finish_reason or (isinstance(fault, TimeoutError) and not patience.expired()):
            raise
    return assembler.finish(is_complete=is_done)


async def _drain(response: aiohttp.ClientResponse) -> None:
    try:
        async with asyncio.timeout(DRAIN_S):
            await response.content.read()
    except (aiohttp.ClientError, TimeoutError):
        return  # a connection that is used no more


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[str]:
    """The data of each event of the stream."""
    lines: list[str] = []
    async for line in _lines(response):
        if line.startswith("data:"):
            lines.append(line[5:].strip())
        elif not line and lines:
            for data in _whole_data(lines):
                yield data
            lines = []
    for data in _whole_data(lines):
        yield data


def _whole_data(lines: list[str]) -> list[str]:
    """The data of an event: its lines are one text, or, of servers that leave out the blank lines, one each."""
    lines = [line for line in lines if line]
    if len(lines) > 1 and not all(line == END_OF_STREAM or line.startswith("{") for line in lines):
        return ["\n".join(lines)]
    return lines


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[str]:
    """The lines of the body, the last one also without an end."""
    rest, size = b"", 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > MAX_BYTES:
            raise Unreadable(f"it has more than {MAX_BYTES} bytes")
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").removeprefix("\ufeff").rstrip("\r")
    if rest:
        yield rest.decode("utf-8", "replace").rstrip("\r")


async def _body(response: aiohttp.ClientResponse) -> str:
    raw = bytearray()
    async for part in response.content.iter_any():
        raw += part
        if len(raw) > MAX_BYTES:
            raise Unreadable(f"it has more than {MAX_BYTES} bytes")
    return raw.decode("utf-8", "replace")


def _parse(text: str) -> Any:
    """The JSON value; orjson refuses halves of characters and NaN, which models do write."""
    try:
        return orjson.loads(text)
    except ValueError:
        pass
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        raise Unreadable("it is no JSON") from None


async def _http_failure(response: aiohttp.ClientResponse) -> HTTPFailure:
    """The error response, with the server's own message where it has one."""
    text = (await response.content.read(65_536)).decode("utf-8", "replace")
    try:
        body = json.loads(text)
        reason = provider_error(body["error"]).message if isinstance(body, dict) and body.get("error") else text
    except (ValueError, RecursionError):
        reason = text
    seconds = seconds_of(response.headers.get("retry-after"))
    return HTTPFailure(response.status, reason.strip() or response.reason or "no reason given", seconds)
