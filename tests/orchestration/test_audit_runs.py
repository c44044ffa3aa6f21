"""A run leaves two entries in the audit log and one decision, whoever writes them."""

from typing import TYPE_CHECKING

import pytest

from governance.models import AuditEntry
from orchestration.engine.lease import sweep
from orchestration.models import Run
from orchestration.runs.commands import start_run
from tests.factories import log_in, make_user, make_workflow
from tests.orchestration.running import EngineThread, ended, kinds
from tests.orchestration.test_claim_fairly import claimed

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from accounts.models import Tenant


@pytest.fixture
def developer(acme: "Tenant") -> "APIClient":
    """A client of the tenant's developer."""
    return log_in(make_user(acme, role="developer"))


def started(client: "APIClient", flow: object) -> str:
    """The id of a new run."""
    url = f"/api/v1/workflows/{flow.pk}/runs"  # type: ignore[attr-defined]
    answer = client.post(url, {"input": {}}, format="json", HTTP_USER_AGENT="test/2")
    assert answer.status_code == 201, answer.content
    return answer.json()["id"]


def entries(client: "APIClient", run_id: str) -> list[dict]:
    """What the log says of the run, the oldest first."""
    return client.get("/api/v1/audit/logs", {"resource_id": run_id}).json()["logs"][::-1]


def test_a_run_leaves_its_start_and_its_end(acme: "Tenant", engine: EngineThread, developer: "APIClient") -> None:
    run_id = started(developer, make_workflow(acme))
    assert ended(Run.all_tenants.get(pk=run_id)).status == "completed"
    begin, end = entries(developer, run_id)
    assert (begin["action"], begin["user_agent"], begin["resource_type"]) == ("run_start", "test/2", "run")
    assert begin["user_id"] and end["user_id"] == begin["user_id"]
    assert (end["action"], end["changes"]["after"]) == ("run_complete", {"status": "completed"})
    decisions = developer.get("/api/v1/policies/decisions", {"run_id": run_id, "action": "run_start"}).json()
    assert [(one["result"], one["explanation"]) for one in decisions] == [("allowed", "No policy applies.")]
    assert (decisions[0]["context"]["role"], decisions[0]["context"]["input"]) == ("developer", {})


def test_a_worker_that_died_before_it_wrote_anything_hides_no_start(acme: "Tenant", developer: "APIClient") -> None:
    run_id = started(developer, make_workflow(acme))
    assert len(claimed(1)) == 1 and sweep() == 1
    engine = EngineThread()
    run = ended(Run.all_tenants.get(pk=run_id))
    engine.drain()
    assert (run.status, run.attempt) == ("completed", 2) and kinds(run)[0] == "run_started"
    assert [one["action"] for one in entries(developer, run_id)] == ["run_start", "run_complete"]


def test_a_failed_run_leaves_why(acme: "Tenant", engine: EngineThread) -> None:
    run, _ = start_run(tenant_id=acme.pk, kind="no.such.program", input={})
    assert ended(run).status == "failed"
    kept = AuditEntry.objects.for_tenant(acme).order_by("pk").values_list("action", "after")
    assert [*kept][-1] == ("run_failed", {"status": "failed", "failure_reason": "error"})


def test_a_run_that_is_cancelled_before_it_begins_leaves_both(acme: "Tenant", developer: "APIClient") -> None:
    run_id = started(developer, make_workflow(acme))
    developer.post(f"/api/v1/runs/{run_id}/cancel")
    assert [one["action"] for one in entries(developer, run_id)] == ["run_start", "run_cancelled", "cancel"]
