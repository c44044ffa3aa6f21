"""Definitions, settings and requests that a team refuses: each answer is 400 and names the place and the reason."""

from typing import TYPE_CHECKING, Any

import pytest
from rest_framework.test import APIClient

from teams.models import Team
from tests.factories import make_agent
from tests.teams.building import TEAMS, body, member

if TYPE_CHECKING:
    from accounts.models import Tenant

pytestmark = pytest.mark.usefixtures("pair")


@pytest.fixture
def pair(tenant: "Tenant") -> None:
    """Two agents, a and b."""
    for key in ("a", "b"):
        make_agent(tenant, key=key)


def with_condition(condition: Any) -> dict[str, Any]:
    """A conditional team whose second agent has this condition."""
    return body("conditional", member("a", 1), member("b", 2, conditions=condition))


def with_source(source: Any, kind: str = "sequential") -> dict[str, Any]:
    """A team whose second agent has this input."""
    return body(kind, member("a", 1), member("b", 2) | {"input": source})


def with_definition(definition: Any) -> dict[str, Any]:
    """A team of this definition."""
    return {"name": "Team", "agent_ids": ["a"], "workflow_definition": definition}


CONDITION = {"field": "category", "operator": "equals", "value": 1}
AGENT = {"agent_id": "a", "execution_order": 1}
REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "agents as an object": (with_definition({"type": "parallel", "agents": {"a": 1}}), "agents", "an array"),
    "an agent as a text": (with_definition({"type": "parallel", "agents": ["a"]}), "agents", "an object"),
    "no agent_id": (with_definition({"type": "parallel", "agents": [{}]}), "agents", "agent_id"),
    "order as a flag": (with_definition({"type": "parallel", "agents": [AGENT | {"execution_order": True}]}),
                        "execution_order", "whole number"),
    "config as a list": (with_definition({"type": "parallel", "agents": [AGENT], "config": []}), "config", "object"),
    "a fraction of a turn": (with_definition({"type": "parallel", "agents": [AGENT], "config": {"max_turns": 1.5}}),
                             "config.max_turns", "whole number from 1 to 100"),
    "retries as a number": (body("parallel", member("a", 1, retry_config=3)), "retry_config", "object"),
    "model as a number": (body("parallel", member("a", 1, config={"model": 4})), "config.model", "text"),
    "summarize as a text": (body("parallel", member("a", 1, config={"summarize": "y"})), "summarize", "true or false"),
    "input as a text": (with_source("initial_prompt"), "input", "an object"),
    "variable without name": (with_source({"source": "context_variable"}), "input.variable_name", "name"),
    "combined of nothing": (with_source({"source": "combined", "sources": [None]}), "input.sources[0]", "an object"),
    "combined of combined": (with_source({"source": "combined", "sources": [{"type": "combined"}]}),
                             "sources[0].type", "one of initial_prompt"),
    "combined in parallel": (
        with_source({"source": "combined", "sources": [{"type": "initial_prompt"}]}, "parallel"),
        "input", "begin at once",
    ),
    "conditions as a text": (with_condition("always"), "conditions", "one condition"),
    "a condition as a text": (with_condition(["always"]), "conditions[0]", "an object"),
    "operator as a list": (with_condition(CONDITION | {"operator": ["equals"]}), "conditions.operator", "one of"),
    "value of no list": (with_condition(CONDITION | {"operator": "in", "value": 1}), "conditions.value", "in "),
    "condition on a stranger": (with_condition([CONDITION | {"agent_id": "z"}]), "conditions[0].agent_id", "'z'"),
    "condition on nothing": (with_condition({"operator": "exists"}), "conditions.field", "name of a field"),
    "field as a number": (with_condition(CONDITION | {"field": 5}), "conditions.field", "name of a field"),
    "team_config as a list": (body("parallel", member("a", 1), team_config=[]), "team_config", "object"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_wrong_team_is_refused_with_place_and_reason(api: APIClient, case: str) -> None:
    request, place, reason = REFUSALS[case]
    answer = api.post(TEAMS, request, format="json")
    assert answer.status_code == 400, answer.content
    errors = answer.json()["context"]["errors"]
    assert [name for name, sentences in errors.items() if name.endswith(place) and reason in str(sentences)], errors
    assert not Team.all_tenants.exists()


def test_the_agents_of_a_definition_are_the_teams(api: APIClient) -> None:
    request = body("parallel", member("a", 1), member("b", 2))
    del request["agent_ids"]
    assert api.post(TEAMS, request, format="json").json()["agent_ids"] == ["a", "b"]


@pytest.mark.parametrize("agents", [None, "a", [7], [{"agent_id": 7}]], ids=repr)
def test_agents_that_have_no_ids_are_refused(api: APIClient, agents: Any) -> None:
    request = {"name": "Team", "workflow_definition": {"type": "parallel", "agents": agents}}
    answer = api.post(TEAMS, request, format="json")
    assert answer.status_code == 400 and "workflow_definition.agents" in answer.json()["context"]["errors"]


def test_a_team_has_a_limited_number_of_agents(api: APIClient, settings: Any) -> None:
    settings.MAX_TEAM_AGENTS = 1
    answer = api.post(TEAMS, body("parallel", member("a", 1), member("b", 2)), format="json")
    assert answer.status_code == 400 and "at most 1" in str(answer.json()["context"]["errors"]["agent_ids"])


@pytest.mark.parametrize(
    ("request_fields", "place"),
    [({"execution_config": {"max_tokens": 0}}, "max_tokens"), ({"team_id": "another"}, "team_id")],
    ids=["settings", "another team"],
)
def test_a_wrong_request_starts_nothing(api: APIClient, request_fields: dict[str, Any], place: str) -> None:
    team = api.post(TEAMS, body("parallel", member("a", 1)), format="json").json()["team_id"]
    answer = api.post(f"{TEAMS}/{team}/execute", {"initial_prompt": "Go.", **request_fields}, format="json")
    assert answer.status_code == 400 and place in str(answer.json()["context"]["errors"])
    assert api.get("/api/v1/executions").json() == []
