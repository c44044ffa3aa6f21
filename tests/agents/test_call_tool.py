"""Calls of tools: checked input, http tools, faults, drafts."""

import asyncio
import json
import uuid
from typing import Any

import pytest

from agents.errors import ToolExecutionError, ToolUnavailable
from agents.handlers.http_call import call_url
from agents.loop.tool_calls import call_tool
from agents.tools.registry import BUILT_IN, ToolCall, ToolSpec
from config.errors import Invalid
from config.outbound import client
from config.values.json_schema import schema_problems, validate_input
from governance import vault
from tests.agents.context import MemoryContext
from tests.agents.far_end import FarEnd

SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "price": {"type": "number"},
        "on": {"type": "boolean"},
        "name": {"type": "string", "pattern": "^[a-z]+$"},
        "tags": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
        "place": {"type": "object", "properties": {"room": {"type": "integer"}}, "required": ["room"]},
    },
    "additionalProperties": False,
}
RUN_ID = uuid.UUID(int=7)


def http_tool(url: str, method: str = "POST", **more: Any) -> ToolSpec:
    """A tenant's http tool."""
    config, sealed = {"url": url, "method": method}, vault.encrypt({"headers": more.pop("headers", {})})
    given = {
        "input_schema": {"type": "object"},
        "handler_type": "http",
        "handler_config": config,
        "sealed_secrets": sealed,
    }
    return ToolSpec("my.tool", "My Tool", "x", handler=call_url, **given | more)


def call(tool: ToolSpec, input: Any, step: str = "s", mode: str = "auto") -> Any:
    """The output of one call of a run."""
    ctx = MemoryContext()
    ctx.run.id = RUN_ID

    async def once() -> Any:
        try:
            return await call_tool(ToolCall(ctx, tool, input, step, mode, ctx.run))  # type: ignore[arg-type]
        finally:
            await client.close()

    return asyncio.run(once())


@pytest.mark.parametrize(
    "given,expected",
    [
        ({"n": "3"}, {"n": 3}),
        ({"n": " -12 "}, {"n": -12}),
        ({"n": 3.0}, {"n": 3}),
        ({"price": "2.5"}, {"price": 2.5}),
        ({"price": "2"}, {"price": 2}),
        ({"on": "true"}, {"on": True}),
        ({"on": "False"}, {"on": False}),
        ({"tags": ["1", 2]}, {"tags": [1, 2]}),
        ({"tags": "[1, 2]"}, {"tags": [1, 2]}),
        ({"place": '{"room": "4"}'}, {"place": {"room": 4}}),
        ({}, {}),
    ],
)
def test_an_input_is_coerced_to_the_schema(given: Any, expected: Any) -> None:
    assert validate_input(SCHEMA, given) == expected
    assert [type(v) for v in validate_input(SCHEMA, given).values()] == [type(v) for v in expected.values()]


@pytest.mark.parametrize(
    "given,field",
    [
        ({"n": "many"}, "n"),
        ({"n": [1]}, "n"),
        ({"n": True}, "n"),
        ({"n": 1.5}, "n"),
        ({"on": "maybe"}, "on"),
        ({"price": "NaN"}, "price"),
        ({"tags": [1, 1]}, "tags"),
        ({"tags": ["x"]}, "tags.0"),
        ({"place": {}}, "place.room"),
        ({"place": 5}, "place"),
        ({"name": "UPPER"}, "name"),
        ({"unknown": 1}, "unknown"),
        ([1], "input"),
        ("text", "input"),
        (None, "input"),
    ],
)
def test_a_wrong_input_is_refused_naming_the_field(given: Any, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        validate_input(SCHEMA, given)
    assert list(refusal.value.context["errors"]) == [field]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array"},
        {"type": "nonsense"},
        {"properties": []},
        {"properties": {"a": {"$ref": "http://127.0.0.1/schema.json"}}},
        {"properties": {"a": {"pattern": "("}}},
        {"properties": {"a": {"$ref": "#/$defs/none"}}, "$defs": {}},
        {"patternProperties": {"(": {}}},
        {"patternProperties": {"a": {}}, "unevaluatedProperties": False},
        {"required": "a"},
        "text",
        {"not": [1]},
    ],
)
def test_a_schema_that_cannot_be_used_is_told(schema: Any) -> None:
    assert schema_problems(schema)


@pytest.mark.parametrize(
    "schema",
    [{}, SCHEMA, {"$defs": {"a": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/a"}}}]
    + [
        {"properties": {"a": {"pattern": p}}}
        for p in (r"^[\w.+-]+@[\w-]+\.[a-z]{2,}$", r"^\d{4}-\d\d-\d\d$", "^(yes|no)$")
    ]
    + [tool.input_schema for tool in BUILT_IN.values()],
)
def test_a_good_schema_has_no_problems(schema: Any) -> None:
    assert schema_problems(schema) == []


def test_a_schema_that_refers_to_itself_for_ever_is_refused_at_the_call() -> None:
    with pytest.raises(Invalid):
        validate_input({"$ref": "#"}, {"a": 1})


def test_an_http_tool_sends_the_checked_input(far_end: FarEnd) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    tool = http_tool(f"{far_end.url}/hook", headers={"X-Own": "yes"}, input_schema=schema)
    assert call(tool, {"n": "3", "text": "olá"}) == {"ok": True}
    (hit,) = far_end.hits
    assert (hit.method, hit.path, json.loads(hit.body)) == ("POST", "/hook", {"n": 3, "text": "olá"})
    assert hit.headers["x-own"] == "yes"


def test_an_http_tool_with_get_sends_the_input_as_query(far_end: FarEnd) -> None:
    call(http_tool(f"{far_end.url}/find?fixed=1", "GET"), {"q": "a b&c", "n": 3, "list": [1]})
    assert far_end.hits[0].path in ("/find?fixed=1&q=a+b%26c&n=3&list=[1]", "/find?fixed=1&q=a+b%26c&n=3&list=%5B1%5D")
    assert far_end.hits[0].body == b""


def test_in_a_run_the_receiver_learns_run_and_key(far_end: FarEnd) -> None:
    call(http_tool(far_end.url), {}, step="post")
    headers = far_end.hits[0].headers
    assert (headers["x-run-id"], headers["idempotency-key"]) == (str(RUN_ID), f"{RUN_ID}:post")


@pytest.mark.parametrize(
    "body,output",
    [
        (b"[1, 2]", [1, 2]),
        (b"3", {"value": 3}),
        (b"plain \x00text", {"text": "plain \ufffdtext"}),
        (b"", {}),
        (b"\xff", {"text": "�"}),
    ],
)
def test_what_comes_back_is_the_output(far_end: FarEnd, body: bytes, output: Any) -> None:
    far_end.answer = lambda _: (200, {}, body)
    assert call(http_tool(far_end.url), {}) == output


LASTING = [(status, ToolExecutionError) for status in (400, 404, 422)]
PASSING = [(status, ToolUnavailable) for status in (429, 500, 503)]


@pytest.mark.parametrize("status,error", [*LASTING, *PASSING])
def test_another_status_is_an_error(far_end: FarEnd, status: int, error: type[Exception]) -> None:
    far_end.answer = lambda _: (status, {"retry-after": "4"}, b"no such room")
    with pytest.raises(error, match=r"failed for 'my.tool': 127.0.0.1 answered \d+") as fault:
        call(http_tool(far_end.url), {"q": "x"}, step="post")
    told = fault.value.context  # type: ignore[attr-defined]
    assert (told["tool_id"], told["execution_context"]["step_id"], told["input_summary"]) == (
        "my.tool",
        "post",
        '{"q":"x"}',
    )
    assert getattr(fault.value, "retry_after_s", 4.0) == 4.0


def test_nobody_there_is_worth_another_try(far_end: FarEnd) -> None:
    with FarEnd() as gone:
        url = gone.url
    with pytest.raises(ToolUnavailable):
        call(http_tool(url), {})


def test_a_private_address_is_refused_for_good(settings: Any, far_end: FarEnd) -> None:
    settings.OUTBOUND_ALLOW = []
    with pytest.raises(ToolExecutionError, match="OUTBOUND_ALLOW"):
        call(http_tool(far_end.url), {})
    with pytest.raises(Invalid, match="http and https"):
        call(BUILT_IN["http.request"], {"url": "file:///etc/passwd"})
    assert far_end.connections == 0


def test_a_secret_in_the_input_is_masked_in_the_error(far_end: FarEnd) -> None:
    far_end.answer = lambda _: (400, {}, b"bad")
    with pytest.raises(ToolExecutionError) as fault:
        call(http_tool(far_end.url), {"password": "planted-secret", "q": "x" * 500})
    assert "planted-secret" not in str(fault.value.context) and len(fault.value.context["input_summary"]) <= 201


def test_a_draft_allows_reading(far_end: FarEnd) -> None:
    for effects in (("database_read",), ()):
        assert call(http_tool(far_end.url, side_effects=effects), {}, mode="draft") == {"ok": True}
    assert len(far_end.hits) == 2


def test_http_request_answers_any_status(far_end: FarEnd) -> None:
    far_end.answer = lambda hit: (404, {"content-type": "application/json"}, b'{"missing": true}')
    asked = {"url": far_end.url, "method": "PUT", "body": {"a": 1}, "headers": {"X-A": "b"}}
    answer = call(BUILT_IN["http.request"], asked)
    assert (answer["status"], answer["body"]) == (404, {"missing": True})
    assert (far_end.hits[0].method, far_end.hits[0].body) == ("PUT", b'{"a":1}')
    assert far_end.hits[0].headers["idempotency-key"] == f"{RUN_ID}:s"


def test_the_demo_lists_two_tickets_or_the_callers_open_ones() -> None:
    tool = BUILT_IN["ticketing.list_open"]
    assert [ticket["id"] for ticket in call(tool, {"hotel_id": "VV"})["tickets"]] == ["T-1", "T-2"]
    mine = [{"id": 1, "subject": "a", "status": "open"}, {"id": 2, "subject": "b", "status": "Closed"}]
    assert call(tool, {"tickets": mine}) == {"tickets": mine[:1], "count": 1}


def test_adding_a_built_in_tool_is_one_decorated_function() -> None:
    from agents.tools.registry import tool

    @tool(
        "test.double",
        "Double",
        "Doubles n.",
        {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    )
    def double(call: ToolCall) -> int:
        return call.input["n"] * 2

    try:
        assert call(BUILT_IN["test.double"], {"n": "21"}) == 42
    finally:
        del BUILT_IN["test.double"]
