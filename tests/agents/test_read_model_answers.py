"""One reading of an answer's text, whatever a model puts around its JSON or SQL, and all who read answers by it."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from agents.llm.answer_text import answer_json, answer_sql, answer_text
from agents.loop.agent_loop import Turn
from agents.loop.agent_program import output
from agents.workflow_nodes import result
from orchestration.models import Status
from teams.execution import outcome
from teams.execution.coordinator import Choice, choice
from tests.agents.context import MemoryContext
from tests.agents.test_ask_models import agent, run
from tests.agents.test_run_nodes import new_agent, node
from tests.agents.test_run_nodes import run as run_flow
from tests.factories import make_user, token_of
from tests.front import Front
from tests.model_replies import message
from tests.model_server import ModelServer
from tests.orchestration.running import ended, start
from tests.strict_provider import faults

if TYPE_CHECKING:
    from accounts.models import Tenant

ANSWER = {"a": 1}
FORMS = {
    "bare": '{"a": 1}',
    "blanks around": ' \n{"a": 1}\n ',
    "think": '<think>Is it {"a": 0}? Let me see [1].</think>\n\n{"a": 1}',
    "two thoughts": '<think>one</think>\n<THINKING>{"a": 0}</THINKING>{"a": 1}',
    "thought in brackets": '[THINK]hmm[/THINK]\n{"a": 1}',
    "thought without a beginning": 'The user wants {"a": 0}.\n</think>\n\n{"a": 1}',
    "thought and fence": '<think>```json\n{"a": 0}\n```</think>\n```json\n{"a": 1}\n```',
    "fence": '```json\n{"a": 1}\n```',
    "JSON fence": '```JSON\n{"a": 1}\n```',
    "fence without a language": '```\n{"a": 1}\n```',
    "fence of another language": '```javascript\n{"a": 1}\n```',
    "fence on one line": '```json {"a": 1}```',
    "fence with nothing between": '```{"a": 1}```',
    "tilde fence": '~~~json5\n{"a": 1}\n~~~',
    "long fence": '````json\n{"a": 1}\n````',
    "fence with CRLF": '```json\r\n{"a": 1}\r\n```\r\n',
    "fence that is not closed": '```json\n{"a": 1}\n',
    "prose": 'Here is the JSON:\n\n```json\n{"a": 1}\n```\n\nI hope it helps!',
    "fence in a list": '1. The answer:\n   ```json\n   {"a": 1}\n   ```',
    "two fences": '```bash\nls\n```\nprints\n```json\n{"a": 1}\n```',
    "BOM": '\ufeff{"a": 1}',
    "BOM in a fence": '\u200b\ufeff```json\n\ufeff{"a": 1}\n```',
}
EACH_FORM = pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
NONE = {
    "prose": "The answer is 1.",
    "nothing": "",
    "a thought without an end": '<think>Is it {"a": 0}?\n```json\n{"a": 0}\n```',
    "JSON in prose without a fence": 'It is {"a": 1}, I think.',
    "half of it": '{"a": 1',
    "half of it in a fence": '```json\n{"a": 1\n```',
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@EACH_FORM
def test_json_is_found(text: str) -> None:
    assert answer_json(text) == ANSWER


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_what_is_no_json_is_not_taken_for_it(text: str) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        answer_json(text)


@pytest.mark.parametrize(
    "value", [{"code": "```py\nx\n```"}, {"html": "<think>x</think>"}, {"text": "a</think>\nb"}, {"md": "~~~\nx\n~~~"}]
)
def test_marks_inside_of_values_are_a_part_of_them(value: Any) -> None:
    text = json.dumps(value)
    fenced = f"See:\n```json\n{text}\n```\nand\n```\nmore\n```"
    assert answer_json(text) == answer_json(f"<think>hmm</think>{text}") == answer_json(fenced) == value


def test_values_are_such_as_can_be_recorded() -> None:
    text = '{"n": 123456789012345678901234567890, "x": NaN, "s": "\\ud83d\\u0000"}'
    assert answer_json(text) == {"n": "123456789012345678901234567890", "x": None, "s": "\ufffd\ufffd"}


@pytest.mark.parametrize(
    "text", ["```" * 9_000, "```json\n" * 9_000, "<think>" * 9_000, "</think>\n" * 9_000, "`" * 50_000]
)
def test_hostile_answers_are_read_to_their_end(text: str) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        answer_json(text)
    assert answer_sql(text) is not None


@EACH_FORM
def test_all_who_want_json_read_it(text: str) -> None:
    assert result(Turn(text, "stop")) == ANSWER  # a workflow's node
    assert output(Turn(text, "stop")) == {"result": text, "data": ANSWER}  # a team's member, a job


@EACH_FORM
def test_an_answer_of_a_schema_is_taken_at_once(gateway: ModelServer, text: str) -> None:
    gateway.requests.clear()
    mark = gateway.play(message(text), message("no second chance"))
    turn = run(MemoryContext(), replace(agent(), output_schema=SCHEMA), mark)
    assert answer_json(turn.text) == ANSWER and len(gateway.requests) == 1


@pytest.mark.parametrize("empty", ["", None, " \n"])
def test_an_empty_answer_of_a_schema_is_asked_for_again_by_a_valid_request(gateway: ModelServer, empty: Any) -> None:
    gateway.requests.clear()
    mark = gateway.play(message(empty), message('{"a": 1}'))
    assert run(MemoryContext(), replace(agent(), output_schema=SCHEMA), f"{mark} go").text == '{"a": 1}'
    assert [faults(request) for request in gateway.requests] == [[], []]
    assert "not valid JSON" in gateway.requests[1]["messages"][-1]["content"]


ROWS = [{"n": 1}, {"n": 2}]
STATEMENT = "SELECT count(*) AS n FROM t"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "```postgresql\n{}\n```",
        "```SQL\n{}\n```",
        "```\n{}\n```",
        "```sql {}```",
        "Here is the query: ```\n{}\n```",
        "Query: ```{}```",
        "- ```\n{}\n```",
        "Here is the query:\n```sql\n{}\n```\nIt counts.",
        "<think>SELECT 2?</think>\n{}",
        "<think>```sql\nSELECT 2\n```</think>\n```sql\n{}\n```",
        "\ufeff{}",
        "```sql\n{}",
        "```\n{}\n```\nwhich gives\n```text\n2\n```",
        "First:\n```sql\nSELECT 2\n```\nNo, better:\n```sql\n{}\n```",
    ],
)
def test_sql_is_found(text: str) -> None:
    assert answer_sql(text.format(STATEMENT)) == STATEMENT


@pytest.mark.parametrize(
    "text", ["SELECT '```' AS x", "SELECT '</think>' AS x", "SELECT '<think>' AS x", "DROP TABLE t"]
)
def test_marks_inside_of_a_statement_are_a_part_of_it(text: str) -> None:
    assert answer_sql(text) == answer_sql(f"```sql\n{text}\n```") == text


def test_a_thought_alone_is_no_answer() -> None:
    assert answer_text("<think>hmm") == answer_text("<think>hmm</think>") == ""
    assert answer_text("<think>1 or 2?</think> 2") == "2" and answer_text("a <think> b") == "a <think> b"


def test_a_team_sums_up_and_ends_with_the_answer_alone() -> None:
    told = {"result": "<think>Long thoughts.\n\nMore.</think>\n\nAll is well.\n\nDetails."}
    assert outcome.final_result(told)["summary"] == "All is well."
    assert choice(told, {}) == Choice(None, "All is well.\n\nDetails.")


@pytest.mark.usefixtures("engine")
def test_routers_and_judges_answer_after_their_thoughts(gateway: ModelServer, acme: "Tenant") -> None:
    agent = new_agent(acme, gateway.play(message("<think>right? or 3 left turns?</think>\nleft")))
    routes = [{"id": "right", "target_node": "r"}, {"id": "left", "target_node": "l"}]
    pick = node("router", "pick", router_agent_id=agent, routes=routes)
    done = run_flow(acme, pick, node("static", "r", output="r"), node("static", "l", output="l"), edges=[])
    assert (done.status, done.result) == (Status.COMPLETED, "l")


@pytest.mark.usefixtures("engine")
def test_a_condition_is_judged_by_the_number_after_the_thoughts(gateway: ModelServer, acme: "Tenant") -> None:
    mark = gateway.play(message("<think>Is it 1? 2?</think>0"))
    edges = [{"from": "a", "to": "yes", "condition": "it is a question"}, {"from": "a", "to": "no"}]
    nodes = [node("static", "a", output=f"x {mark}"), node("static", "yes", output=1), node("static", "no", output=0)]
    done = run_flow(acme, *nodes, edges=edges)
    assert (done.status, done.result) == (Status.COMPLETED, 0)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("form", ["think", "JSON fence", "prose", "BOM"])
def test_nodes_and_jobs_give_the_same_object(gateway: ModelServer, acme: "Tenant", form: str) -> None:
    agent = new_agent(acme, gateway.play(message(FORMS[form])))
    assert run_flow(acme, node("agent", "x", agent_id=agent)).result == ANSWER
    job = ended(start(acme, "agent_job", {"message": "go"}, subject_id=agent))
    assert job.result["data"] == ANSWER, job.result


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    "form", ["{}", "```postgresql\n{}\n```", "So:\n```sql\n{};\n```\nIt counts.", "<think>SELECT 2?</think>{}"]
)
def test_the_data_store_is_asked_with_the_statement(
    front: Front, gateway: ModelServer, acme: "Tenant", form: str
) -> None:
    token = token_of(make_user(acme, "developer"))
    made = front.post("/api/v1/data/tables", token, {"name": "rooms", "rows": ROWS, "mode": "replace"})
    assert made.status_code in (200, 201), made.text
    mark = gateway.play(message(form.format("SELECT count(*) AS n FROM rooms")))
    answer = front.post("/api/v1/tools/natural_language_db_read/execute", token, {"query": f"{mark} how many?"})
    assert answer.json()["output_data"]["results"] == [{"n": 2}], answer.text
