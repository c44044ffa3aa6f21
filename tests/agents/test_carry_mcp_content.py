"""What an MCP server answers is carried or named, never dropped; the tool is called once, whatever its answer holds."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from agents.errors import ToolExecutionError
from agents.handlers.mcp_tool import call_mcp
from tests.agents.far_end import FarEnd, Hit, Reply
from tests.agents.test_call_tool import call, http_tool

IMAGE = {"type": "image", "data": base64.b64encode(b"hello").decode(), "mimeType": "image/png"}
TEXT_RESOURCE = {
    "type": "resource",
    "resource": {"uri": "file:///a.txt", "text": "whole text", "mimeType": "text/plain"},
}
BLOB = {"type": "resource", "resource": {"uri": "file:///a.bin", "blob": "aGVsbG8=", "mimeType": "application/pdf"}}
LINK = {"type": "resource_link", "uri": "https://example.com/report", "name": "report", "size": 12}


class RawPeer:
    """An MCP server that answers `raw` for the tool's call, as JSON text; as events where `events` is set."""

    def __init__(self, far_end: FarEnd) -> None:
        self.far_end, self.raw, self.events, self.calls = far_end, "{}", False, 0
        self.charset, self.codec = "", "utf-8"  # as its headers name it, and as it writes
        far_end.answer = self.answer

    def answer(self, hit: Hit) -> Reply:
        """One message."""
        message = json.loads(hit.body) if hit.body else {}
        if "id" not in message:
            return 202, {}, b""
        method, id = message["method"], message["id"]
        if method == "initialize":
            version = message["params"]["protocolVersion"]
            info = {
                "protocolVersion": version,
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "p", "version": "1"},
            }
            return self.told(json.dumps({"jsonrpc": "2.0", "id": id, "result": info}))
        if method == "tools/call":
            self.calls += 1
            return self.told(f'{{"jsonrpc": "2.0", "id": {json.dumps(id)}, {self.raw}}}')
        error = {"code": -32601, "message": "no such method"}  # tools/list too: an answer must not hang on it
        return self.told(json.dumps({"jsonrpc": "2.0", "id": id, "error": error}))

    def told(self, text: str) -> Reply:
        """The message as HTTP carries it."""
        if self.events:
            notice = '{"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}'
            body = f"event: message\ndata: {notice}\n\nevent: message\r\ndata: {text}\r\n\r\n"
            return 200, {"content-type": f"text/event-stream{self.charset}"}, body.encode(self.codec)
        return 200, {"content-type": f"application/json{self.charset}"}, text.encode(self.codec)


@pytest.fixture(params=["json", "events"])
def peer(far_end: FarEnd, request: pytest.FixtureRequest) -> Iterator[RawPeer]:
    """A server that answers in one of the two ways."""
    made = RawPeer(far_end)
    made.events = request.param == "events"
    yield made
    assert made.calls == 1


def output(peer: RawPeer, result: dict[str, Any] | str) -> Any:
    """What the tool's call answers for this result."""
    text = result if isinstance(result, str) else json.dumps(result)
    peer.raw = f'"result": {text}'
    return asked(peer)


def asked(peer: RawPeer) -> Any:
    """One call of the tool."""
    config = {"url": f"{peer.far_end.url}/mcp", "tool": "it"}
    return call(replace(http_tool(""), handler=call_mcp, handler_config=config), {"q": "x"})


@pytest.mark.parametrize(
    "content,carried",
    [
        ([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], ["one", "two"]),
        ([IMAGE], [IMAGE | {"size": 5}]),
        ([{"type": "audio", "data": "aGk=", "mimeType": "audio/wav"}],
         [{"type": "audio", "data": "aGk=", "mimeType": "audio/wav", "size": 2}]),
        ([TEXT_RESOURCE], [TEXT_RESOURCE]),
        ([BLOB], [BLOB | {"resource": BLOB["resource"] | {"size": 5}}]),
        ([LINK], [LINK]),
        ([{"type": "hologram", "points": 3}], [{"type": "hologram", "points": 3}]),
        ([{"type": "image"}, "loose", 5], [{"type": "image"}, "loose", 5]),
        ([], []),
    ],
)  # fmt: skip
def test_each_kind_of_content_is_carried(peer: RawPeer, content: Any, carried: Any) -> None:
    assert output(peer, {"content": content}) == {"content": carried}


def test_large_binary_data_is_named(peer: RawPeer) -> None:
    (part,) = output(peer, {"content": [IMAGE | {"data": "A" * 400_000}]})["content"]
    assert (part["type"], part["mimeType"], part["size"]) == ("image", "image/png", 300_000)
    assert "data" not in part and "32,000" in part["omitted"]


@pytest.mark.parametrize(
    "structured,content,carried",
    [
        ({"total": 36}, [], {"total": 36}),
        ({"total": 36}, [{"type": "text", "text": '{"total": 36}'}], {"total": 36}),
        ({"result": [1, 2]}, [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}], {"result": [1, 2]}),
        ({"total": 36}, [{"type": "text", "text": "36 rooms"}], {"total": 36, "content": ["36 rooms"]}),
        ({"total": 36}, [LINK], {"total": 36, "content": [LINK]}),
        ({"content": 1}, [LINK], {"structuredContent": {"content": 1}, "content": [LINK]}),
        ([1, 2], [], [1, 2]),
        ([1, 2], [LINK], {"structuredContent": [1, 2], "content": [LINK]}),
        ("text", [], {"value": "text"}),
    ],
)
def test_what_stands_beside_structured_content_is_carried(
    peer: RawPeer, structured: Any, content: Any, carried: Any
) -> None:
    assert output(peer, {"structuredContent": structured, "content": content}) == carried


LONG = "1" * 30


@pytest.mark.parametrize(
    "result,carried",
    [
        (f'{{"content": [], "structuredContent": {{"n": {LONG}, "v": NaN}}}}', {"n": LONG, "v": None}),
        (r'{"content": [{"type": "text", "text": "half \ud83d and \u0000"}]}', {"content": ["half \ufffd and \ufffd"]}),
        ('{"content": [], "structuredContent": {"v": ' + "[" * 300 + "]" * 300 + "}}",
         {"text": '{"v":' + "[" * 300 + "]" * 300 + "}"}),
    ],
)  # fmt: skip
def test_json_that_is_hard_to_keep_arrives(peer: RawPeer, result: str, carried: Any) -> None:
    assert output(peer, result) == carried


@pytest.mark.parametrize(
    "charset, codec, text",
    [
        ("", "utf-8", "São Łódź 日本"),
        ("", "utf-8-sig", "São Łódź 日本"),
        ("; charset=utf-8", "utf-8", "São Łódź 日本"),
        (";charset=iso-8859-1", "latin-1", "São"),
        ('; Charset="ISO-8859-1"', "cp1252", "São “5 €”"),
        ("; charset=windows-1252", "cp1252", "São “5 €”"),
        ("; charset=iso-8859-2", "iso-8859-2", "Łódź"),
        ("; charset=shift_jis", "shift_jis", "日本"),
        ("; charset=utf-16", "utf-16", "São Łódź 日本"),
        ("; charset=utf-16le", "utf-16-le", "São Łódź 日本"),
        ("; charset=utf-32", "utf-32", "São Łódź 日本"),
        ("; charset=nonsense", "utf-8", "São Łódź 日本"),
    ],
)
def test_an_answer_is_read_in_its_charset(peer: RawPeer, charset: str, codec: str, text: str) -> None:
    peer.charset, peer.codec = charset, codec
    result = json.dumps({"content": [], "structuredContent": {"v": text}}, ensure_ascii=False)
    assert output(peer, result) == {"v": text}


def test_json_in_utf_16_is_read_though_no_header_says_so(far_end: FarEnd) -> None:
    peer = RawPeer(far_end)
    peer.codec = "utf-16-le"
    assert output(peer, '{"content": [], "structuredContent": {"v": "São"}}') == {"v": "São"}


@pytest.mark.parametrize("codec", ["utf-8", "cp1252", "utf-16"])
def test_an_error_is_read_in_its_charset(peer: RawPeer, codec: str) -> None:
    peer.charset, peer.codec = f"; charset={codec}", codec
    peer.raw = '"error": {"code": -32602, "message": "São não"}'
    with pytest.raises(ToolExecutionError, match="São não"):
        asked(peer)


def test_a_byte_that_its_charset_does_not_have_is_replaced(peer: RawPeer) -> None:
    peer.charset, peer.codec = "; charset=utf-8", "latin-1"
    assert output(peer, '{"content": [], "structuredContent": {"v": "São"}}') == {"v": "S\ufffdo"}


def test_an_answer_that_nobody_can_read_is_its_text(peer: RawPeer) -> None:
    deep = "[" * 5000 + "]" * 5000
    (text,) = output(peer, f'{{"content": [], "structuredContent": {deep}}}')["content"]
    assert deep in text


@pytest.mark.parametrize(
    "result,words",
    [
        ({"content": [{"type": "text", "text": "no such order"}]}, ["no such order"]),
        ({"content": [], "structuredContent": {"code": "RATE_LIMITED", "retry_after": 4711}}, ["RATE_LIMITED", "4711"]),
        ({"content": [{"type": "text", "text": "x" * 900}], "structuredContent": {"code": "E17"}}, ["xxx", "E17"]),
        ({"content": [TEXT_RESOURCE]}, ["whole text", "file:///a.txt"]),
        ({"content": [LINK, IMAGE]}, ["https://example.com/report", "image/png", "5 bytes"]),
        ({"content": []}, ["does not say why"]),
    ],
)
def test_an_error_tells_all_that_came(peer: RawPeer, result: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ToolExecutionError) as fault:
        output(peer, result | {"isError": True})
    assert all(word in fault.value.message for word in ["The MCP tool failed", *words])


def test_a_protocol_error_tells_its_data(peer: RawPeer) -> None:
    peer.raw = r'"error": {"code": -32602, "message": "bad order", "data": {"field": "order_id", "at": 4711}}'
    with pytest.raises(ToolExecutionError, match=r"bad order.*order_id.*4711"):
        asked(peer)


def failing(status: int, text: str) -> Callable[[Hit], Reply]:
    """An answer with this HTTP status."""
    return lambda _: (status, {"content-type": "text/plain"}, text.encode())


@pytest.mark.parametrize("status", [401, 403, 500])
def test_an_http_error_is_told(far_end: FarEnd, status: int) -> None:
    peer = RawPeer(far_end)
    far_end.answer = failing(status, "the key has expired")
    with pytest.raises(ToolExecutionError, match=rf"{status}: the key has expired"):
        asked(peer)


@pytest.mark.parametrize("body", ["", "no JSON", "[1]", '{"jsonrpc": "2.0"}', "NaN"])
def test_what_is_no_answer_is_an_error(far_end: FarEnd, body: str) -> None:
    peer = RawPeer(far_end)
    far_end.answer = lambda _: (200, {"content-type": "application/json"}, body.encode())
    with pytest.raises(ToolExecutionError, match="The MCP server failed"):
        asked(peer)
