"""What tools answer is read once, whichever way it comes; what a run uses at once is what its record gives back."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from agents.errors import ToolExecutionError
from agents.handlers.code_function import run_code
from agents.models import Tool
from agents.sandbox import sandboxed_command
from agents.tools.registry import BUILT_IN
from orchestration.models import RunEvent, Step
from orchestration.runs.commands import send_event
from tests.agents.far_end import FarEnd
from tests.agents.test_call_tool import call, http_tool
from tests.agents.test_run_nodes import new_agent, node, run
from tests.factories import make_workflow
from tests.model_server import ModelServer
from tests.orchestration.running import EngineThread, ended, reached, start

if TYPE_CHECKING:
    from accounts.models import Tenant

DIGITS = "123456789012345678901234567890"
ODD = rf'{{"n": {DIGITS}, "half": "x \ud83d y", "nul": "a\u0000b", "nan": NaN, "far": 1e999, "e": 2.5e16, "z": -0.0}}'
CLEAN = {"n": DIGITS, "half": "x � y", "nul": "a�b", "nan": None, "far": None, "e": 25 * 10**15, "z": 0.0}


def answering(far_end: FarEnd, body: str | bytes, kind: str = "application/json") -> None:
    """Let the server answer so."""
    raw = body if isinstance(body, bytes) else body.encode()
    far_end.answer = lambda _: (200, {"content-type": kind}, raw)


def saved_tool(acme: "Tenant", url: str, **more: Any) -> str:
    """The id of a stored http tool."""
    fields: dict[str, Any] = {"key": "my.tool", "name": "T", "handler_type": "http", "handler_config": {"url": url}}
    return Tool.all_tenants.create(tenant=acme, input_schema={"type": "object"}, **fields | more).key


def test_an_http_tool_reads_what_is_hard_to_keep(far_end: FarEnd) -> None:
    answering(far_end, ODD)
    assert call(http_tool(far_end.url), {}) == CLEAN


def test_http_request_reads_it_too_and_its_headers(far_end: FarEnd) -> None:
    far_end.answer = lambda _: (404, {"content-type": "text/json", "x-city": "São"}, ODD.encode())
    answer = call(BUILT_IN["http.request"], {"url": far_end.url})
    assert (answer["body"], answer["headers"]["x-city"]) == (CLEAN, "São")


@pytest.mark.parametrize("levels", [101, 300, 5000])
def test_what_is_nested_too_deep_is_its_text(far_end: FarEnd, levels: int) -> None:
    body = '{"v":' + "[" * levels + "]" * levels + "}"
    answering(far_end, body)
    assert call(http_tool(far_end.url), {}) == {"text": body}
    assert call(BUILT_IN["http.request"], {"url": far_end.url})["body"] == {"text": body}


def test_answers_are_read_in_their_charset(far_end: FarEnd) -> None:
    answering(far_end, '{"v": "São"}'.encode("latin-1"), "application/json; charset=ISO-8859-1")
    assert call(http_tool(far_end.url), {}) == {"v": "São"}
    answering(far_end, "São".encode("latin-1"), 'text/plain; charset="iso-8859-1"')
    assert call(http_tool(far_end.url), {}) == {"text": "São"}


def test_the_reason_of_an_error_is_read_in_its_charset(far_end: FarEnd) -> None:
    kind = {"content-type": "text/plain; charset=iso-8859-1"}
    far_end.answer = lambda _: (400, kind, "Não há quartos".encode("latin-1"))
    with pytest.raises(ToolExecutionError, match="answered 400: Não há quartos"):
        call(http_tool(far_end.url), {})


def test_numbers_beyond_64_bits_are_sent_with_each_digit(far_end: FarEnd) -> None:
    whole = {"type": "object", "properties": {"n": {"type": "integer"}}}
    call(http_tool(far_end.url, input_schema=whole), {"n": DIGITS})
    call(http_tool(far_end.url, "GET"), {"n": int(DIGITS)})
    assert far_end.hits[0].body == f'{{"n":{DIGITS}}}'.encode() and far_end.hits[1].path.endswith(f"n={DIGITS}")


@pytest.mark.skipif(bool(sandboxed_command.unavailable_reason()), reason="no sandbox here")
@pytest.mark.parametrize(
    "expression,output",
    [
        ("10**30", {"value": "1" + "0" * 30}),
        ("{'a': float('nan'), 'b': float('-inf'), 1: 2, None: 3}", {"a": None, "b": None, "1": 2, "null": 3}),
        ("'half \\ud83d and \\x00'", {"value": "half � and �"}),
        ("[{1}, (2,), b'ol\\xc3\\xa1']", [[1], [2], "olá"]),
        ("__import__('decimal').Decimal('1.10')", {"value": "1.10"}),
        ("__import__('datetime').date(2024, 6, 1)", {"value": "2024-06-01"}),
        ("eval('[' * 90 + ']' * 90)", json.loads("[" * 90 + "]" * 90)),
        ("__import__('functools').reduce(lambda v, _: [v], range(300), 1)", {"text": "[" * 300 + "1" + "]" * 300}),
    ],
)
def test_code_may_answer_what_is_hard_to_keep(expression: str, output: Any) -> None:
    code = {"code": f"def run(input):\n    return {expression}"}
    assert call(replace(http_tool("", handler_config=code), handler=run_code), {}) == output


@pytest.mark.skipif(bool(sandboxed_command.unavailable_reason()), reason="no sandbox here")
def test_code_that_answers_what_json_does_not_have_says_so() -> None:
    code = {"code": "def run(input):\n    return object()"}
    with pytest.raises(ToolExecutionError, match="type object, which JSON does not have"):
        call(replace(http_tool("", handler_config=code), handler=run_code), {})


# ---- in runs


@pytest.fixture
def odd(acme: "Tenant", far_end: FarEnd) -> str:
    """The id of a tool that answers ODD."""
    answering(far_end, ODD)
    return saved_tool(acme, far_end.url)


def test_a_run_goes_on_with_what_its_record_gives_back(acme: "Tenant", engine: EngineThread, odd: str) -> None:
    text = "$steps.a.n|$steps.a.half|$steps.a.nul|$steps.a.nan|$steps.a.e|$steps.a.z"
    flow = make_workflow(
        acme,
        node("tool", tool_id=odd),
        node("transform", "before", output={"text": text, "all": "$steps.a"}),
        node("wait", "pause", event="go"),
        node("transform", "after", output={"before": "$steps.before", "now": {"text": text, "all": "$steps.a"}}),
    )
    begun = reached(start(acme, "workflow", {}, subject_id=str(flow.pk), subject_version=flow.revision), "running")
    send_event(begun.pk, acme.id, "go", None)
    result = ended(begun).result
    assert result["before"] == result["now"] == {"text": f"{DIGITS}|x � y|a�b||{25 * 10**15}|0.0", "all": CLEAN}


def test_a_child_run_and_the_memory_take_it(acme: "Tenant", engine: EngineThread, odd: str) -> None:
    child = make_workflow(acme, node("transform", "x", output={"in": "$input.all"}))
    memory = {
        "owner_type": "tenant",
        "type": "long_term",
        "content": "note $steps.a end",
        "metadata": {"m": "$steps.a"},
    }
    done = run(
        acme,
        node("tool", tool_id=odd),
        node("subworkflow", "b", workflow_id=str(child.pk), input={"all": "$steps.a"}),
        node("tool", "c", tool_id="memory.store", input=memory),
        node("transform", "end", output="$steps.b"),
        mode="auto",
    )
    assert (done.status, done.result) == ("completed", {"in": CLEAN}), done.result


def test_a_map_a_condition_and_another_tool_take_it(acme: "Tenant", engine: EngineThread, odd: str) -> None:
    condition = f"output.n == {DIGITS} and output.nan == null and output.half == 'x � y'"
    send = {"tool_id": odd, "input": {"n": "$steps.a.n", "all": "$steps.a"}}
    done = run(
        acme,
        node("tool", tool_id=odd),
        node("map", "each", items=["$steps.a"], node={"type": "tool", "config": send}),
        node("static", "no", output="no"),
        edges=[{"from": "a", "to": "each", "condition": condition}, {"from": "a", "to": "no"}],
    )
    assert (done.status, done.result) == ("completed", [CLEAN])


@pytest.mark.parametrize("effects", [[], ["order"]])
def test_an_agent_calls_once_and_reads_the_answer(
    acme: "Tenant", gateway: ModelServer, engine: EngineThread, far_end: FarEnd, effects: list[str]
) -> None:
    answering(far_end, ODD)
    tool = saved_tool(acme, far_end.url, side_effects=effects)
    agent = new_agent(acme, '<<call: my_tool {"q": "x"}>> <<say: Ordered.>>', allowed_tools=[tool])
    done = run(acme, node("agent", agent_id=agent, prompt="go"), mode="auto")
    assert done.result["text"] == "Ordered." and len(far_end.hits) == 1
    (message,) = [m for m in gateway.requests[-1]["messages"] if m["role"] == "tool"]
    assert DIGITS in message["content"] and "x � y" in message["content"]
    (event,) = RunEvent.all_tenants.filter(run=done, kind="tool_call")
    assert "error" not in event.payload and event.payload["output"] == CLEAN
    assert CLEAN in list(Step.all_tenants.filter(run=done, type="tool").values_list("output", flat=True))
