"""Teams for tests: their bodies, and executions of them by a running engine."""

from typing import TYPE_CHECKING, Any

from rest_framework.test import APIClient

from orchestration.models import FINAL, Run
from tests.factories import make_agent
from tests.orchestration.running import until

if TYPE_CHECKING:
    from accounts.models import Tenant

TEAMS, EXECUTIONS = "/api/v1/teams", "/api/v1/executions"


def member(agent_id: str, order: int, source: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """An agent's place; without a source it reads the prompt."""
    source_json = source or {"source": "initial_prompt"}
    return {"agent_id": agent_id, "role": "member", "execution_order": order, "input": source_json, **more}


def result_of(*agent_ids: str) -> dict[str, Any]:
    """The source that reads the result of one agent, or of several together."""
    if len(agent_ids) == 1:
        return {"source": "agent_result", "agent_id": agent_ids[0]}
    return {"source": "combined", "sources": [{"type": "agent_result", "agent_id": id} for id in agent_ids]}


def body(kind: str, *members: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A team of these members."""
    ids = [one["agent_id"] for one in members]
    return {
        "name": "Team",
        "agent_ids": ids,
        "workflow_definition": {"type": kind, "agents": list(members), **more.pop("definition", {})},
        **more,
    }


def agents(tenant: "Tenant", **instructions: str) -> None:
    """Agents of these names, whose instructions script the model's answers."""
    for key, text in instructions.items():
        make_agent(tenant, key=key, instructions=text)


def start_execution(api: APIClient, kind: str, *members: dict[str, Any], prompt: str = "Go.", **more: Any) -> str:
    """The id of an execution of a new team."""
    request = more.pop("request", {})
    created = api.post(TEAMS, body(kind, *members, **more), format="json")
    assert created.status_code == 200, created.content
    answer = api.post(
        f"{TEAMS}/{created.json()['team_id']}/execute", {"initial_prompt": prompt, **request}, format="json"
    )
    assert answer.status_code == 200, answer.content
    return str(answer.json()["execution_id"])


def over(execution: str) -> Run:
    """The execution's run, once it is final."""
    return until(lambda: Run.all_tenants.filter(pk=execution, status__in=FINAL).first())


def read_execution(api: APIClient, execution: str, part: str, **query: Any) -> Any:
    """status, result or logs of the execution."""
    answer = api.get(f"{EXECUTIONS}/{execution}/{part}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()
