"""Executions by a running engine: who works when and on what, what is kept of it, and how it is stopped."""

import json
from typing import TYPE_CHECKING

import pytest
from rest_framework.test import APIClient

from governance.models import BudgetLimit
from orchestration.models import Run, RunEvent
from teams.models import ExecutionKeys
from tests.factories import log_in, make_user
from tests.model_replies import message
from tests.model_server import ModelServer
from tests.orchestration.running import EngineThread, until
from tests.teams.building import EXECUTIONS, agents, member, over, read_execution, result_of, start_execution

if TYPE_CHECKING:
    from accounts.models import Tenant

pytestmark = pytest.mark.usefixtures("gateway", "engine")


@pytest.fixture
def api(acme: "Tenant") -> APIClient:
    """A developer's client."""
    return log_in(make_user(acme, role="developer"))


def test_a_sequence_hands_on_what_its_inputs_name(acme: "Tenant", api: APIClient, gateway: ModelServer) -> None:
    agents(acme, a="<<say: alpha>>", b="<<say: beta>>", c="<<say: gamma>>")
    execution = start_execution(
        api,
        "sequential",
        member("c", 3, result_of("a", "b")),
        member("a", 1),
        member("b", 2, {"source": "context_variable", "variable_name": "city"}),
        prompt="Plan a trip.",
        request={"context": {"city": "Lisbon"}},
    )
    run = over(execution)
    assert run.status == "completed", run.result
    messages = [request["messages"][-1]["content"] for request in gateway.requests]
    assert messages == ["Plan a trip.", "Lisbon", "alpha\n\nbeta"]
    assert run.result == {"result": "gamma", "summary": "gamma", "details": "gamma"}
    result = read_execution(api, execution, "result")
    assert {id: output["result"] for id, output in result["agent_results"].items()} == {
        "a": "alpha",
        "b": "beta",
        "c": "gamma",
    }
    levels = [
        (entry["agent_id"], entry["level"]) for entry in read_execution(api, execution, "logs") if entry["agent_id"]
    ]
    assert levels == [(id, "info") for id in ("a", "a", "b", "b", "c", "c")]


def test_parallel_agents_wait_together(acme: "Tenant", api: APIClient, gateway: ModelServer) -> None:
    ids = [f"p{number}" for number in range(6)]
    agents(acme, **dict.fromkeys(ids, "<<delay: 2000>>"))
    execution = start_execution(api, "parallel", *(member(id, order) for order, id in enumerate(ids)))
    until(lambda: len(gateway.requests) == 6)  # its count of those that wait may hold some of an earlier test
    until(lambda: set(read_execution(api, execution, "status")["active_agents"]) == set(ids))
    assert over(execution).status == "completed"
    status = read_execution(api, execution, "status")
    assert (status["progress"], status["active_agents"], len(status["completed_agents"])) == (100.0, [], 6)


def test_a_parallel_failure_waits_for_the_others(acme: "Tenant", api: APIClient) -> None:
    agents(acme, bad="<<status: 400>>", good="<<delay: 300>> <<say: fine>>")
    execution = start_execution(api, "parallel", member("bad", 1), member("good", 2))
    assert over(execution).status == "failed"
    result = read_execution(api, execution, "result")
    assert result["final_result"] is None and result["agent_results"]["good"]["result"] == "fine"
    assert read_execution(api, execution, "status")["failed_agents"] == ["bad"]


def test_conditions_are_judged_when_their_turn_comes(acme: "Tenant", api: APIClient) -> None:
    agents(acme, entry='<<say: {"category": "billing"}>>', yes="<<say: paid 7>>", no="", late="")
    on = [{"agent_id": "entry", "field": "category", "operator": "equals", "value": "billing"}]
    off = {"field": "agent_entry_result.category", "operator": "equals", "value": "tech"}
    after = {"agent_id": "yes", "field": "result", "operator": "contains", "value": "paid"}
    execution = start_execution(
        api,
        "conditional",
        member("entry", 1),
        member("yes", 2, conditions=on),
        member("no", 3, conditions=off),
        member("late", 4, conditions=after),
    )
    run = over(execution)
    assert run.result["executed_agents"] == ["entry", "yes", "late"]
    assert read_execution(api, execution, "status")["skipped_agents"] == ["no"]
    assert [entry["level"] for entry in read_execution(api, execution, "logs", agent_id="no")] == ["info"]


def test_a_coordinator_chooses_who_works_until_it_is_done(acme: "Tenant", api: APIClient, gateway: ModelServer) -> None:
    script = '<<say: {"next": null, "message": "All done."}>>'
    agents(acme, boss=script, hand="<<say: built>>")
    execution = start_execution(api, "supervised", member("boss", 1, role="coordinator"), member("hand", 2))
    assert over(execution).result["summary"] == "All done."
    assert "- hand" in gateway.requests[0]["messages"][-1]["content"]


@pytest.mark.parametrize("agent_id", [["hand"], {"id": "hand"}, 7, True, "nobody"], ids=repr)
def test_a_choice_of_nobody_is_refused_in_words(acme: "Tenant", api: APIClient, agent_id: object) -> None:
    agents(acme, boss=f"<<say: {json.dumps({'next': agent_id, 'message': 'Build.'})}>>", hand="<<say: built>>")
    run = over(start_execution(api, "supervised", member("boss", 1, role="coordinator"), member("hand", 2)))
    assert (run.status, run.result["error_type"]) == ("failed", "UnknownAgent") and "hand" in run.result["error"]


def test_a_choice_that_was_cut_off_is_asked_for_again(acme: "Tenant", api: APIClient, gateway: ModelServer) -> None:
    truncated_reply = message('{"next": "hand", "message": "Bu', finish="length")
    complete_reply = message('{"next": null, "message": "All done."}')
    agents(acme, boss=gateway.play(truncated_reply, complete_reply), hand="<<say: built>>")
    run = over(start_execution(api, "supervised", member("boss", 1, role="coordinator"), member("hand", 2)))
    assert (run.status, run.result["summary"]) == ("completed", "All done.")
    assert "was cut off" in gateway.requests[-1]["messages"][-1]["content"]


@pytest.mark.parametrize("empty", [None, "", " \n"])
def test_an_empty_answer_is_handed_on_as_one_that_says_so(
    acme: "Tenant", api: APIClient, gateway: ModelServer, empty: str | None
) -> None:
    agents(acme, a=gateway.play(message(empty)), b="<<say: beta>>")
    run = over(start_execution(api, "pipeline", member("a", 1), member("b", 2, result_of("a"))))
    assert run.status == "completed", run.result
    assert all(one["content"].strip() for request in gateway.requests for one in request["messages"])


def test_a_coordinator_who_is_never_done_is_stopped(acme: "Tenant", api: APIClient) -> None:
    agents(acme, boss='<<say: {"next": "hand", "message": "Build."}>>', hand="<<say: built>>")
    settings = {"definition": {"config": {"max_turns": 2}}}
    execution = start_execution(api, "supervised", member("boss", 1, role="coordinator"), member("hand", 2), **settings)
    run = over(execution)
    assert (run.status, run.result["error_type"]) == ("failed", "TurnsUsedUp")
    assert Run.all_tenants.filter(parent_id=run.pk, subject_id="hand").count() == 1


def test_the_offline_model_coordinates_each_agent_in_its_turn(
    acme: "Tenant", api: APIClient, gateway: ModelServer, offline: None
) -> None:
    agents(acme, boss="", hand="", eye="")
    members = member("boss", 1, role="coordinator"), member("hand", 2), member("eye", 3)
    run = over(start_execution(api, "supervised", *members, prompt="Look at the rooms.\n\nAll of them."))
    assert run.status == "completed", run.result
    assert run.result["executed_agents"] == ["boss", "hand", "boss", "eye", "boss"]
    assert "hand:" in run.result["details"] and "(offline model)" in run.result["details"]


def test_a_leader_sums_up_when_asked_to(acme: "Tenant", api: APIClient) -> None:
    agents(acme, chief="<<say: the gist>>", b="<<say: beta>>")
    chief = member("chief", 1, role="leader", config={"summarize": True})
    run = over(start_execution(api, "parallel", chief, member("b", 2)))
    assert run.result["summary"] == "the gist" and "beta" in run.result["details"]


def test_an_agent_is_tried_again_and_has_its_time(acme: "Tenant", api: APIClient) -> None:
    agents(acme, slow="<<delay: 5000>>")
    again = {"max_attempts": 2, "backoff_s": 0.05}
    execution = start_execution(api, "sequential", member("slow", 1, timeout=0.2, retry_config=again))
    run = over(execution)
    assert (run.status, run.failure_reason) == ("failed", "timeout")
    (child,) = Run.all_tenants.filter(parent_id=run.pk)
    assert RunEvent.all_tenants.filter(run_id=child.pk, kind="step_retried").count() == 1


def test_settings_of_the_execution_win(acme: "Tenant", api: APIClient, gateway: ModelServer) -> None:
    agents(acme, a="")
    settings = member("a", 1, config={"temperature": 0.5})
    over(start_execution(api, "sequential", settings, team_config={"temperature": 0.1, "max_tokens": 77}))
    over(start_execution(api, "sequential", settings, request={"execution_config": {"temperature": 0.9}}))
    parameters = [(request.get("temperature"), request.get("max_tokens")) for request in gateway.requests]
    assert [(parameters[0][0], parameters[0][1]), parameters[1][0]] == [(0.5, 77), 0.9]


def test_a_stop_ends_the_model_call_and_a_late_answer_changes_nothing(
    acme: "Tenant", api: APIClient, gateway: ModelServer
) -> None:
    agents(acme, a="<<say: alpha>>", b="<<delay: 30000>>")
    execution = start_execution(api, "sequential", member("a", 1), member("b", 2))
    until(lambda: read_execution(api, execution, "status")["active_agents"] == ["b"] and gateway.stats.waiting == 1)
    assert api.post(f"{EXECUTIONS}/{execution}/stop").json()["status"] == "success"
    assert over(execution).status == "cancelled"
    until(lambda: Run.all_tenants.filter(parent_id=execution, subject_id="b", status="cancelled").exists())
    assert set(read_execution(api, execution, "result")["agent_results"]) == {"a"}
    assert [entry["level"] for entry in read_execution(api, execution, "logs", agent_id="b")] == ["info", "warning"]
    assert api.post(f"{EXECUTIONS}/{execution}/stop").status_code == 400


def test_a_crash_goes_on_after_the_last_finished_agent(
    acme: "Tenant", api: APIClient, gateway: ModelServer, engine: EngineThread, settings: object
) -> None:
    settings.ENGINE_DRAIN_S = 0.05
    agents(acme, a="<<say: alpha>>", b="<<delay: 700>> <<say: beta>>")
    execution = start_execution(api, "sequential", member("a", 1), member("b", 2, result_of("a")))
    until(lambda: read_execution(api, execution, "status")["active_agents"] == ["b"])
    engine.drain()
    again = EngineThread()
    assert over(execution).result["result"] == "beta"
    again.drain()
    prompts = [request["messages"][-1]["content"] for request in gateway.requests]
    assert prompts.count("Go.") == 1
    kinds = [event.kind for event in RunEvent.all_tenants.filter(run_id=execution).order_by("seq")]
    assert [kind for kind in kinds if kind.startswith("agent_")] == ["agent_started", "agent_completed"] * 2


def test_what_was_refused_stays_refused_in_a_replay(
    acme: "Tenant", api: APIClient, engine: EngineThread, settings: object
) -> None:
    settings.ENGINE_DRAIN_S = 0.05
    agents(acme, entry="", shy="", slow="<<delay: 900>>")
    unknown = {"source": "context_variable", "variable_name": "city"}
    always = {"conditions": {}}
    execution = start_execution(
        api, "conditional", member("entry", 1), member("shy", 2, unknown, **always), member("slow", 3, **always)
    )
    until(lambda: read_execution(api, execution, "status")["active_agents"] == ["slow"])
    Run.all_tenants.filter(pk=execution).update(
        input=Run.all_tenants.get(pk=execution).input | {"context": {"city": "X"}}
    )
    engine.drain()
    again = EngineThread()
    assert over(execution).status == "completed"
    again.drain()
    status = read_execution(api, execution, "status")
    assert (status["failed_agents"], status["completed_agents"]) == (["shy"], ["entry", "slow"])
    assert RunEvent.all_tenants.filter(run_id=execution, payload__agent_id="shy").count() == 1


def test_a_limit_of_the_team_counts_what_its_agents_do(acme: "Tenant", api: APIClient) -> None:
    agents(acme, a="", b="")
    execution = start_execution(api, "sequential", member("a", 1))
    team = Run.all_tenants.get(pk=execution).subject_id
    assert over(execution).status == "completed"
    BudgetLimit.all_tenants.create(tenant=acme, scope="team", scope_id=team, period="day", calls_limit=1)
    first, second = (
        api.post(f"/api/v1/teams/{team}/execute", {"initial_prompt": "Go."}, format="json").json()["execution_id"]
        for _ in range(2)
    )
    assert sorted([over(first).status, over(second).status]) == ["completed", "failed"]


def test_keys_are_lent_to_the_agents_runs_alone(acme: "Tenant", api: APIClient) -> None:
    from agents.llm import model_choice
    from governance import vault

    agents(acme, a="")
    execution = start_execution(
        api,
        "sequential",
        member("a", 1),
        user_api_keys={"mistral": "sk-team", "groq": "sk-team-groq"},
        request={"user_api_keys": {"mistral": "sk-own"}},
    )
    run = over(execution)
    (child,) = Run.all_tenants.filter(parent_id=run.pk)
    assert model_choice.key_for(child, "mistral") == "sk-own" and model_choice.key_for(child, "groq") == "sk-team-groq"
    assert model_choice.key_for(run, "mistral") is None
    assert "sk-" not in str(run.input) + str(child.input)
    assert vault.decrypt(ExecutionKeys.all_tenants.get(run_id=run.pk).sealed)["mistral"] == "sk-own"
    over(start_execution(api, "sequential", member("a", 1)))
    assert not ExecutionKeys.all_tenants.exists(), "the keys of a finished execution are kept"
