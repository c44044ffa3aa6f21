"""Lists of teams and executions, and what is answered about an execution that no engine has begun."""

from typing import TYPE_CHECKING

import pytest
from rest_framework.test import APIClient

from teams.models import ExecutionKeys
from tests.factories import log_in, make_user
from tests.teams.building import EXECUTIONS, TEAMS, agents, body, member, read_execution, start_execution

if TYPE_CHECKING:
    from accounts.models import Tenant


@pytest.fixture
def execution(tenant: "Tenant", api: APIClient) -> str:
    """The id of an execution that waits for an engine."""
    agents(tenant, a="")
    return start_execution(api, "sequential", member("a", 1))


def names(api: APIClient, **query: str) -> list[str]:
    """The names of the teams that the query finds."""
    return [team["name"] for team in api.get(TEAMS, query).json()["items"]]


def test_teams_are_found_by_a_part_of_their_name(tenant: "Tenant", api: APIClient) -> None:
    agents(tenant, a="")
    for name, is_active in (("Morning Round", True), ("Night Watch", True), ("Old Night Watch", False)):
        api.post(TEAMS, body("parallel", member("a", 1)) | {"name": name, "is_active": is_active}, format="json")
    assert names(api, name_filter="night") == ["Night Watch"]
    assert sorted(names(api, active_only="false", name_filter="WATCH")) == ["Night Watch", "Old Night Watch"]


def test_a_deleted_team_leaves_its_executions(api: APIClient, execution: str) -> None:
    team = api.get(EXECUTIONS).json()[0]["team_id"]
    answer = api.delete(f"{TEAMS}/{team}").json()
    assert answer == {"status": "success", "message": f"Team {team} deleted"}
    assert api.get(f"{TEAMS}/{team}").status_code == 404
    assert [row["execution_id"] for row in api.get(EXECUTIONS).json()] == [execution]


def test_executions_are_listed_by_team_newest_first(api: APIClient, execution: str) -> None:
    other = start_execution(api, "sequential", member("a", 1))
    rows = api.get(EXECUTIONS).json()
    assert [row["execution_id"] for row in rows] == [other, execution]
    assert api.get(EXECUTIONS, {"team_id": rows[1]["team_id"]}).json() == rows[1:]


def test_the_same_key_starts_one_execution_with_the_first_keys(tenant: "Tenant", api: APIClient) -> None:
    agents(tenant, a="")
    team = api.post(TEAMS, body("parallel", member("a", 1)), format="json").json()["team_id"]
    request = {"initial_prompt": "Go.", "user_api_keys": {"groq": "sk-own"}}
    url, header = f"{TEAMS}/{team}/execute", {"HTTP_IDEMPOTENCY_KEY": "once"}
    first, second = (api.post(url, request, format="json", **header).json() for _ in range(2))
    assert first["execution_id"] == second["execution_id"]
    assert ExecutionKeys.all_tenants.count() == 1


def test_an_execution_that_waits_has_no_result_and_no_estimate(api: APIClient, execution: str) -> None:
    status, result = read_execution(api, execution, "status"), read_execution(api, execution, "result")
    assert (status["status"], status["progress"], status["estimated_completion"]) == ("pending", 0.0, None)
    assert (result["final_result"], result["agent_results"], result["execution_duration"]) == (None, {}, None)


def test_only_its_starter_or_a_developer_stops_an_execution(tenant: "Tenant", api: APIClient, execution: str) -> None:
    url = f"{EXECUTIONS}/{execution}/stop"
    assert log_in(make_user(tenant)).post(url).status_code == 403
    assert log_in(make_user(tenant, role="developer")).post(url).json()["status"] == "success"
    assert read_execution(api, execution, "status")["error_message"] == "Execution cancelled by user"
    assert api.get(EXECUTIONS).json()[0]["error_message"] == "Execution cancelled by user"


def test_a_log_is_read_by_level(api: APIClient, execution: str) -> None:
    api.post(f"{EXECUTIONS}/{execution}/stop")
    assert [entry["level"] for entry in read_execution(api, execution, "logs", log_types="Warning,error")] == [
        "warning"
    ]
    assert read_execution(api, execution, "logs", log_types="error") == []
    answer = api.get(f"{EXECUTIONS}/{execution}/logs", {"log_types": "loud"})
    assert answer.status_code == 400 and "loud" in str(answer.json()["context"]["errors"]["log_types"])
