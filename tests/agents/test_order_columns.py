"""Answers of the NL-DB tool have their columns, and their rows' values, in the order of the SELECT, at every door."""

from typing import TYPE_CHECKING, Any

import pytest

from memory.datastore.tables import load_table
from tests.factories import make_agent, make_user, make_workflow, token_of
from tests.front import Front, frames
from tests.orchestration.running import ended, start

if TYPE_CHECKING:
    from accounts.models import Tenant

pytestmark = pytest.mark.usefixtures("offline", "engine")
COLUMNS = ["zip", "id", "name", "n"]  # sorted otherwise by length, by letter and by type
ROW = {"zip": "01310", "id": 7, "name": "Ana", "n": 1.5}
READ = "natural_language_db_read"


@pytest.fixture
def token(acme: "Tenant") -> str:
    """A developer's token; the tenant has a table `guests`."""
    load_table(acme.pk, "guests", [ROW], "replace", from_text=False)
    return token_of(make_user(acme, "developer"))


def ordered(answer: dict[str, Any]) -> bool:
    """Whether everything in it has the order of the table."""
    assert answer["columns"] == COLUMNS
    return [list(row.items()) for row in answer["results"]] == [list(ROW.items())]


def test_an_execution_answers_in_order(front: Front, token: str) -> None:
    answer = front.post(f"/api/v1/tools/{READ}/execute", token, {"query": "Show the guests"}).json()
    assert ordered(answer["output_data"])
    assert ordered(front.request("GET", f"/api/v1/runs/{answer['id']}", token).json()["result"])


def test_a_run_and_its_steps_are_in_order(front: Front, acme: "Tenant", token: str) -> None:
    flow = make_workflow(
        acme,
        {"id": "read", "type": "tool", "config": {"tool_id": READ, "input": {"query": "Show the guests"}}},
        {"id": "after", "type": "wait", "config": {"seconds": 0.1}},
        {"id": "told", "type": "transform", "config": {"output": "$steps.read"}},
    )
    run = ended(start(acme, "workflow", subject_id=str(flow.pk), subject_version=1))
    assert ordered(front.request("GET", f"/api/v1/runs/{run.pk}", token).json()["result"])
    steps = {step["node_id"]: step for step in front.request("GET", f"/api/v1/runs/{run.pk}/steps", token).json()}
    assert ordered(steps["read"]["output"]) and ordered(steps["told"]["output"])


def test_a_turn_tells_the_rows_in_order(front: Front, acme: "Tenant", token: str) -> None:
    make_agent(acme, allowed_tools=[READ])
    body = {"message": "Show the guests", "context": {"mode": "auto"}}
    told = frames(front.post("/api/v1/agents/agent.helper/conversation", token, body))
    (call,) = [frame["toolCall"] for frame in told if frame["type"] == "tool_call"]
    assert ordered(call["result"])
    assert "zip: 01310, id: 7, name: Ana, n: 1.5" in told[-1]["result"]


@pytest.mark.parametrize("column", ["q", "Q", "s", "json", "answer", "row_to_json"])
def test_a_column_may_have_any_name(front: Front, acme: "Tenant", token: str, column: str) -> None:
    load_table(acme.pk, "odd", [{column.lower(): 1, "w": "a"}], "replace", from_text=False)
    answer = front.post(f"/api/v1/tools/{READ}/execute", token, {"query": "Show the odd"}).json()
    assert answer["output_data"]["results"] == [{column.lower(): 1, "w": "a"}], answer
