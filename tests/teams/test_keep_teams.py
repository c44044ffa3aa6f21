"""Teams: what is kept, what is never shown, and what a definition must satisfy; a refusal names the place."""

from typing import TYPE_CHECKING, Any

import pytest
from rest_framework.test import APIClient

from governance import vault
from teams.models import Team
from tests.factories import make_agent
from tests.teams.building import TEAMS, body, member, result_of

if TYPE_CHECKING:
    from accounts.models import Tenant


@pytest.fixture
def pair(tenant: "Tenant") -> None:
    """Two agents, a and b."""
    for key in ("a", "b"):
        make_agent(tenant, key=key)


@pytest.mark.usefixtures("pair")
def test_keys_go_in_and_never_come_out(api: APIClient) -> None:
    created = api.post(
        TEAMS, body("sequential", member("a", 1), user_api_keys={"Claude": "sk-very-secret"}), format="json"
    )
    assert created.status_code == 200 and b"sk-very-secret" not in created.content
    team = Team.all_tenants.get()
    assert "sk-very-secret" not in team.sealed and vault.decrypt(team.sealed) == {"anthropic": "sk-very-secret"}
    api.put(f"{TEAMS}/{team.pk}", {"name": "Other"}, format="json")
    team.refresh_from_db()
    assert vault.decrypt(team.sealed) and team.name == "Other"
    api.put(f"{TEAMS}/{team.pk}", {"user_api_keys": {}}, format="json")
    team.refresh_from_db()
    assert team.sealed == ""


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "type": (body("circular", member("a", 1)), "workflow_definition.type"),
    "no agents": (body("sequential") | {"agent_ids": ["a"]}, "workflow_definition.agents"),
    "unknown": (body("sequential", member("ghost", 1)), "agent_ids"),
    "outside": (body("sequential", member("a", 1), member("b", 2)) | {"agent_ids": ["a"]}, "agents[1].agent_id"),
    "twice": (body("sequential", member("a", 1), member("a", 2)), "agents[1].agent_id"),
    "order": (body("sequential", {"agent_id": "a"}), "agents[0].execution_order"),
    "order's type": (body("parallel", member("a", 1) | {"execution_order": "1"}), "agents[0].execution_order"),
    "role": (body("sequential", member("a", 1, role="boss")), "agents[0].role"),
    "source": (body("sequential", member("a", 1, {"source": "thin air"})), "agents[0].input.source"),
    "stranger's result": (body("sequential", member("a", 1, result_of("x"))), "agents[0].input.agent_id"),
    "combined": (body("sequential", member("a", 1, {"source": "combined", "sources": []})), "agents[0].input.sources"),
    "pipeline": (body("pipeline", member("a", 1), member("b", 2)), "agents[1].input"),
    "parallel": (body("parallel", member("a", 1), member("b", 2, result_of("a"))), "agents[1].input"),
    "no conditions": (body("conditional", member("a", 1), member("b", 2)), "agents[1].conditions"),
    "operator": (
        body("conditional", member("a", 1), member("b", 2, conditions={"field": "x", "operator": "like"})),
        "agents[1].conditions.operator",
    ),
    "timeout": (body("sequential", member("a", 1, timeout=-1)), "agents[0].timeout"),
    "retries": (body("sequential", member("a", 1, retry_config={"max_attempts": 99})), "retry_config.max_attempts"),
    "temperature": (body("sequential", member("a", 1), team_config={"temperature": 9}), "team_config.temperature"),
    "alone": (body("supervised", member("a", 1)), "workflow_definition.agents"),
    "definition": (body("sequential", member("a", 1)) | {"workflow_definition": []}, "workflow_definition"),
}


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_definition_is_refused_by_name_and_leaves_nothing(api: APIClient, case: str) -> None:
    definition, place = WRONG[case]
    answer = api.post(TEAMS, definition, format="json")
    errors = answer.json()
    assert (answer.status_code, errors["errorCode"]) == (400, "VALIDATION_ERROR") and errors["detail"] == errors[
        "message"
    ]
    assert any(name.endswith(place) for name in errors["context"]["errors"]), errors["context"]["errors"]
    assert not Team.all_tenants.exists()


@pytest.mark.usefixtures("pair")
def test_an_update_is_checked_with_what_it_leaves(api: APIClient) -> None:
    created = api.post(TEAMS, body("sequential", member("a", 1), member("b", 2)), format="json").json()
    answer = api.patch(f"{TEAMS}/{created['team_id']}", {"agent_ids": ["a"]}, format="json")
    assert answer.status_code == 400 and Team.all_tenants.get().agent_ids == ["a", "b"]


@pytest.mark.usefixtures("pair")
def test_an_inactive_team_is_not_executed(api: APIClient) -> None:
    created = api.post(TEAMS, body("sequential", member("a", 1), is_active=False), format="json").json()
    answer = api.post(f"{TEAMS}/{created['team_id']}/execute", {"initial_prompt": "Go."}, format="json")
    assert answer.status_code == 409 and "is_active" in answer.json()["detail"]
