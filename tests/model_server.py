"""A scripted OpenAI-compatible model server on loopback, for the tests and the benchmark.

    python -m tests.model_server --port 9100 --latency-ms 2000

It answers POST /v1/chat/completions (streamed when asked), POST /v1/embeddings, GET /v1/models and GET /stats. Marks
in the messages' texts script an answer; of several marks of one kind the last one counts:

    <<say: hello>>           answer with this text
    <<then: hello>>          answer with this text when it has answered in this conversation before
    <<words: 40>>            answer with forty words
    <<clock: 5>>             answer with five words, each the time (seconds) at which it is sent
    <<pace: 20>>             pause so many ms between the pieces of a streamed answer
    <<break: 3>>             hang up after so many pieces of a streamed answer, once per text that says so
    <<call: tool {"a": 1}>>  call this function once, then answer
    <<call*3: tool {}>>      call it until three results are there
    <<step: tool {"a": 1}>>  call this function; of several such marks each in its turn
    <<delay: 250>>           answer after 250 ms
    <<status: 429>>          answer with this HTTP status
    <<fail: key 2>>          the first two calls of that key get HTTP 500
    <<play: key>>            answer with the replies that a test gave to ModelServer.play, one after the other

It costs about 0.1 ms of CPU per call, so that a thousand calls may wait at once.
"""

import argparse
import asyncio
import json
import re
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Self

import orjson

from tests.model_replies import Reply

MARK = re.compile(r"<<(say|then|words|clock|pace|break|call(?:\*\d+)?|step|delay|status|fail):\s*(.*?)>>", re.DOTALL)
PLAY = re.compile(r"<<play: (\w+)>>")
HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
DIMENSIONS = 26  # of its embeddings
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}


@dataclass
class Stats:
    """What GET /stats tells."""

    calls: int = 0
    failed: int = 0
    waiting: int = 0
    most_waiting: int = 0
    prompt_chars: int = 0


@dataclass
class Script:
    """How one call is answered, read from the marks in its messages."""

    text: str = "ok"
    call: tuple[str, str] | None = None
    delay_s: float = 0.0
    status: int = 200
    clock: int = 0
    pace_s: float = 0.0
    breaks_after: int = 0


class Scripter:
    """Reads the marks of a call; it remembers how often each <<fail: key n>> was asked."""

    def __init__(self, latency_s: float) -> None:
        self.latency_s = latency_s
        self.seen: Counter[str] = Counter()

    def read(self, request: dict[str, Any], text: str) -> Script:
        """The script of this request."""
        marks = dict(MARK.findall(text)) if "<<" in text else {}
        script = Script(delay_s=float(marks["delay"]) / 1000 if "delay" in marks else self.latency_s)
        if "words" in marks:
            script.text = " ".join(f"word{i}" for i in range(int(marks["words"])))
        script.text = unescaped(marks.get("say", script.text))
        if "then" in marks and any(message.get("role") == "assistant" for message in request["messages"]):
            script.text = unescaped(marks["then"])
        script.clock, script.pace_s = int(marks.get("clock", 0)), float(marks.get("pace", 0)) / 1000
        if "break" in marks:
            self.seen[text] += 1
            script.breaks_after = int(marks["break"]) if self.seen[text] == 1 else 0
        script.status = int(marks.get("status", 200))
        if "fail" in marks:
            key, _, times = marks["fail"].partition(" ")
            self.seen[key] += 1
            script.status = 500 if self.seen[key] <= int(times) else script.status
        steps = [value for kind, value in MARK.findall(text) if kind == "step"] if "step" in marks else []
        script.call = self.next_step(request, steps) if steps else self.next_call(request, marks)
        return script

    @staticmethod
    def next_call(request: dict[str, Any], marks: dict[str, str]) -> tuple[str, str] | None:
        """The function to call now, or None when the conversation holds its results already."""
        mark = next((name for name in reversed(marks) if name.startswith("call")), None)
        if mark is None:
            return None
        results = sum(message.get("role") == "tool" for message in request["messages"])
        if results >= int(mark.partition("*")[2] or 1):
            return None
        return _call(marks[mark])

    @staticmethod
    def next_step(request: dict[str, Any], steps: list[str]) -> tuple[str, str] | None:
        """The function whose turn it is, or None when all of them have had theirs."""
        results = sum(message.get("role") == "tool" for message in request["messages"])
        return _call(steps[results]) if results < len(steps) else None


def _call(mark: str) -> tuple[str, str]:
    """(function, its arguments) of a mark."""
    name, _, arguments = unescaped(mark).partition(" ")
    return name, arguments.strip() or "{}"


def unescaped(text: str) -> str:
    """The mark's text as its author wrote it, also when it came inside a JSON string."""
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text


def texts(messages: list[dict[str, Any]]) -> str:
    """All text of the messages."""
    return "\n".join(m["content"] for m in messages if isinstance(m.get("content"), str))


class Connection(asyncio.Protocol):
    """One client's keep-alive connection."""

    def __init__(self, server: "ModelServer") -> None:
        self.server = server
        self.buffer = b""
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to answer on."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Collect bytes and handle the request when it is complete."""
        self.buffer += data
        self._next()

    def _next(self) -> None:
        end = self.buffer.find(HEAD_END)
        if self.busy or end < 0:
            return
        head = self.buffer[:end]
        found = LENGTH.search(head)
        size = end + len(HEAD_END) + (int(found[1]) if found else 0)
        if len(self.buffer) < size:
            return
        body, self.buffer = self.buffer[end + len(HEAD_END) : size], self.buffer[size:]
        self.busy = True
        self._handle(head.split(b" ", 2)[1].decode(), body)

    def _handle(self, path: str, body: bytes) -> None:
        if path.endswith("/stats"):
            self._send(asdict(self.server.stats))
        elif path.endswith("/models"):
            self._send({"object": "list", "data": [{"id": "scripted", "object": "model"}]})
        elif path.endswith("/embeddings"):
            self._embed(orjson.loads(body))
        elif path.endswith("/chat/completions"):
            self._chat(orjson.loads(body))
        else:
            self._send({"error": {"message": f"no such path: {path}"}}, 404)

    def _embed(self, request: dict[str, Any]) -> None:
        """A vector per text, by the letters that it has: the same for the same text, near for nearly the same."""
        self.server.requests.append(request)
        self.server.arrivals.append(time.time())
        texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
        vectors = [[float(text.lower().count(chr(97 + i))) + 0.01 for i in range(DIMENSIONS)] for text in texts]
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        tokens = sum(len(text) for text in texts) // 4 + 1
        told = {"object": "list", "data": data, "model": request["model"]}
        self._send(told | {"usage": {"prompt_tokens": tokens, "total_tokens": tokens}})

    def _chat(self, request: dict[str, Any]) -> None:
        stats, text = self.server.stats, texts(request["messages"])
        self.server.requests.append(request)
        self.server.arrivals.append(time.time())
        script = self.server.scripter.read(request, text)
        if played := PLAY.findall(text):
            stats.calls += 1
            return self._raw(self.server.next_reply(played[-1]))
        stats.calls += 1
        stats.prompt_chars += len(text)
        stats.waiting += 1
        stats.most_waiting = max(stats.most_waiting, stats.waiting)
        answer = self._stream if request.get("stream") and script.status == 200 else self._answer
        asyncio.get_running_loop().call_later(script.delay_s, answer, request, script, len(text) // 4 + 1)

    def _answer(self, request: dict[str, Any], script: Script, prompt_tokens: int) -> None:
        self.server.stats.waiting -= 1
        if script.status != 200:
            self.server.stats.failed += 1
            return self._send({"error": {"message": f"scripted {script.status}", "type": "scripted"}}, script.status)
        message: dict[str, Any] = {"role": "assistant", "content": None if script.call else script.text}
        if script.call:
            message["tool_calls"] = [self._tool_call(script.call)]
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if script.call else "stop"}
        self._send(
            self._base(request, "chat.completion") | {"choices": [choice], "usage": usage(script, prompt_tokens)}
        )

    def _stream(self, request: dict[str, Any], script: Script, prompt_tokens: int) -> None:
        self.server.stats.waiting -= 1
        base = self._base(request, "chat.completion.chunk")
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None if script.call else ""}]
        if script.call:
            deltas.append({"tool_calls": [{"index": 0} | self._tool_call(script.call)]})
        else:
            text = "tick " * script.clock or script.text
            deltas += [{"content": word} for word in re.findall(r"\S+\s*|\s+", text)]
        ends: list[str | None] = [None] * len(deltas) + ["tool_calls" if script.call else "stop"]
        pairs = zip([*deltas, {}], ends, strict=True)
        chunks = [base | {"choices": [{"index": 0, "delta": delta, "finish_reason": end}]} for delta, end in pairs]
        if (request.get("stream_options") or {}).get("include_usage"):
            chunks.append(base | {"choices": [], "usage": usage(script, prompt_tokens)})
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        self.transport.write(head)
        self._speak(chunks, 0, script)

    def _speak(self, chunks: list[dict[str, Any]], at: int, script: Script) -> None:
        """Send this chunk and those after it, at the script's pace."""
        while True:
            if script.breaks_after and at > script.breaks_after:
                return self.transport.close()
            if at == len(chunks):
                self._part(b"data: [DONE]\n\n")
                self.transport.write(b"0\r\n\r\n")
                self.busy = False
                return self._next()
            chunk = chunks[at]
            if script.clock and chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                chunk["choices"][0]["delta"]["content"] = f"{time.time():.6f} "
            self._part(b"data: " + orjson.dumps(chunk) + b"\n\n")
            at += 1
            if script.pace_s:
                loop = asyncio.get_running_loop()
                loop.call_later(script.pace_s, self._speak, chunks, at, script)
                return None

    def _part(self, body: bytes) -> None:
        self.transport.write(b"%x\r\n%s\r\n" % (len(body), body))

    def _base(self, request: dict[str, Any], kind: str) -> dict[str, Any]:
        self.server.answers += 1
        number = f"chatcmpl-{self.server.answers}"
        return {"id": number, "object": kind, "created": int(time.time()), "model": request.get("model", "scripted")}

    def _tool_call(self, call: tuple[str, str]) -> dict[str, Any]:
        return {
            "id": f"call_{self.server.answers}",
            "type": "function",
            "function": {"name": call[0], "arguments": call[1]},
        }

    def _raw(self, reply: Reply) -> None:
        """The reply to the letter. Its body ends as HTTP has it, whatever it holds; or with the connection's end."""
        head = f"HTTP/1.1 {reply.status} Scripted\r\ncontent-type: {reply.kind}\r\n"
        if reply.breaks:
            self.transport.write(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
            self._part(reply.body)
            return self.transport.close()
        self.transport.write(f"{head}content-length: {len(reply.body)}\r\n\r\n".encode() + reply.body)
        self.busy = False
        return self._next()

    def _send(self, body: dict[str, Any], status: int = 200) -> None:
        self._write(status, b"application/json", orjson.dumps(body))

    def _write(self, status: int, kind: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\n" % (status, REASONS.get(status, "Scripted").encode(), kind)
        wait = b"retry-after: 0\r\n" if status == 429 else b""
        self.transport.write(head + wait + b"content-length: %d\r\n\r\n" % len(body) + body)
        self.busy = False
        self._next()


def usage(script: Script, prompt_tokens: int) -> dict[str, int]:
    """The usage block: a token per four characters in, a token per word out."""
    completion = 12 if script.call else len(script.text.split())
    return {"prompt_tokens": prompt_tokens, "completion_tokens": completion, "total_tokens": prompt_tokens + completion}


class ModelServer:
    """The server; as a context manager it runs in a thread of its own. `requests` holds the bodies that it was sent."""

    def __init__(self, port: int = 0, latency_s: float = 0.0) -> None:
        self.port = port
        self.stats = Stats()
        self.scripter = Scripter(latency_s)
        self.requests: list[dict[str, Any]] = []
        self.arrivals: list[float] = []  # when each came
        self.answers = 0
        self.plays: dict[str, list[Reply]] = {}

    def play(self, *replies: Reply) -> str:
        """The mark of a message that is answered with these replies, one after the other, the last one for ever."""
        key = f"play{len(self.plays)}"
        self.plays[key] = list(replies)
        return f"<<play: {key}>>"

    def next_reply(self, key: str) -> Reply:
        """The reply whose turn it is."""
        replies = self.plays[key]
        return replies.pop(0) if len(replies) > 1 else replies[0]

    @property
    def url(self) -> str:
        """What LLM_BASE_URL is set to."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, ready: threading.Event | None = None) -> None:
        """Listen until cancelled; the port is known once `ready` is set."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(self), "127.0.0.1", self.port, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        if ready:
            ready.set()
        async with server:
            await server.serve_forever()

    def __enter__(self) -> Self:
        ready = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.task = self.loop.create_task(self.serve(ready))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        ready.wait(10)
        return self

    def _run(self) -> None:
        try:
            self.loop.run_until_complete(self.task)
        except asyncio.CancelledError:
            self.loop.close()

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join(10)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A scripted OpenAI-compatible model server.")
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--latency-ms", type=float, default=0)
    options = parser.parse_args()
    server = ModelServer(options.port, options.latency_ms / 1000)
    server.requests, server.arrivals = _Forgetful(), _Forgetful()
    print(f"model server on http://127.0.0.1:{options.port}/v1, {options.latency_ms:g} ms", flush=True)
    try:
        asyncio.run(server.serve())
    except KeyboardInterrupt:
        print("stopped", flush=True)


class _Forgetful(list[Any]):
    """A list that keeps nothing: a benchmark's hundred thousand requests need no memory."""

    def append(self, _: Any) -> None:
        """Drop the request."""


if __name__ == "__main__":
    main()
