"""What an execution hands from one agent to the next, and how it ends when there is nothing to hand on."""

from typing import TYPE_CHECKING

import pytest
from rest_framework.test import APIClient

from orchestration.models import RunEvent
from tests.factories import log_in, make_user, token_of
from tests.front import Front, OpenSocket
from tests.model_replies import message
from tests.model_server import ModelServer
from tests.teams.building import agents, member, over, read_execution, result_of, start_execution

if TYPE_CHECKING:
    from accounts.models import Tenant

pytestmark = pytest.mark.usefixtures("gateway", "engine")
ALWAYS = {"conditions": {}}


@pytest.fixture
def api(acme: "Tenant") -> APIClient:
    """A developer's client."""
    return log_in(make_user(acme, role="developer"))


def test_a_plain_answer_of_the_coordinator_is_the_teams(acme: "Tenant", api: APIClient) -> None:
    agents(acme, boss="<<say: Nothing is left to do.>>", hand="")
    run = over(start_execution(api, "supervised", member("boss", 1, role="coordinator"), member("hand", 2)))
    assert (run.status, run.result["executed_agents"]) == ("completed", ["boss"])
    assert run.result["details"] == "Nothing is left to do."


def test_conditions_read_variables_and_what_is_missing(acme: "Tenant", api: APIClient) -> None:
    agents(acme, entry="<<say: x>>", vip="", plain="", lost="", first="")
    tier = {"field": "customer.tier", "operator": "equals", "value": "gold"}
    execution = start_execution(
        api,
        "conditional",
        member("entry", 1),
        member("vip", 2, conditions=tier),
        member("plain", 3, conditions={"field": "discount", "operator": "not_exists"}),
        member("lost", 4, conditions={"field": "discount", "operator": "equals", "value": 1}),
        member("first", 5, conditions={"agent_id": "lost", "operator": "not_exists"}),
        request={"context": {"customer": {"tier": "gold"}, "cart": {}}},
    )
    assert over(execution).result["executed_agents"] == ["entry", "vip", "plain", "first"]
    assert read_execution(api, execution, "status")["skipped_agents"] == ["lost"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (result_of("off"), "The agent off has no result"),
        (result_of("off", "bad"), "None of the agents whose results it combines"),
        ({"source": "context_variable", "variable_name": "city"}, "no variable 'city'"),
    ],
    ids=["a result", "results together", "a variable"],
)
def test_an_agent_without_its_input_fails_alone(
    acme: "Tenant", api: APIClient, source: dict[str, object], reason: str
) -> None:
    agents(acme, entry="", off="", bad="<<status: 400>>", needy="")
    never = {"conditions": {"field": "discount", "operator": "exists"}}
    members = member("entry", 1), member("off", 2, **never), member("bad", 3, **ALWAYS)
    execution = start_execution(api, "conditional", *members, member("needy", 4, source, **ALWAYS))
    assert over(execution).status == "completed"
    (failed,) = read_execution(api, execution, "logs", agent_id="needy")
    assert reason in failed["message"] and failed["details"]["error_type"] == "INPUT_MISSING"


def test_a_failed_agent_is_an_error_of_the_log(acme: "Tenant", api: APIClient) -> None:
    agents(acme, bad="<<status: 400>>", never="")
    execution = start_execution(api, "sequential", member("bad", 1), member("never", 2))
    run = over(execution)
    errors = read_execution(api, execution, "logs", log_types="error")
    assert [entry["agent_id"] for entry in errors] == ["bad", None]
    assert errors[1]["message"] == f"Execution failed: {run.result['error']}"


def test_a_long_answer_is_whole_in_the_result_and_cut_in_its_event(
    acme: "Tenant", api: APIClient, gateway: ModelServer
) -> None:
    agents(acme, a=gateway.play(message("long " * 8_000)))
    execution = start_execution(api, "sequential", member("a", 1))
    assert over(execution).status == "completed"
    assert len(read_execution(api, execution, "result")["agent_results"]["a"]["result"]) > 39_000
    event = RunEvent.all_tenants.get(run_id=execution, kind="agent_completed").payload["result"]
    assert event["truncated"] and len(event["details"]) == 32_000


def test_a_used_up_budget_lets_the_others_finish(acme: "Tenant", api: APIClient) -> None:
    agents(acme, a="<<say: alpha>> <<delay: 200>>", b="<<say: beta>> <<delay: 200>>")
    execution = start_execution(api, "parallel", member("a", 1), member("b", 2), request={"llm_calls_limit": 1})
    run = over(execution)
    assert (run.status, run.failure_reason) == ("failed", "budget_exceeded")
    assert len(read_execution(api, execution, "result")["agent_results"]) == 1


def test_a_monitor_leaves_out_what_is_not_the_teams(acme: "Tenant", api: APIClient, front: Front) -> None:
    agents(acme, a="<<delay: 5000>>")
    execution = start_execution(api, "sequential", member("a", 1), request={"latency_slo_ms": 300})
    over(execution)
    assert RunEvent.all_tenants.filter(run_id=execution, kind="budget_exceeded").exists()
    url = f"/ws/executions/{execution}/monitor?after=0&token={token_of(make_user(acme, role='developer'))}"
    *messages, _close = OpenSocket(front, url).rest()
    agent = ["agent_status_update"] * 2
    assert [message["type"] for message in messages[1:]] == ["status_update", *agent, "status_update"]
    assert messages[-1]["data"]["status"] == "failed"
