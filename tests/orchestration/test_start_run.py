"""POST /workflows/{id}/runs and /execute: the run is inserted and answered at once, once per idempotency key."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from orchestration.models import Run
from tests.orchestration.test_write_workflow import PATH, client, developer, made, post, refused, stranger

__all__ = ["developer", "stranger"]
pytestmark = pytest.mark.django_db


@pytest.fixture()
def path(developer: APIClient) -> str:
    """The path of a workflow."""
    return f"{PATH}/{made(developer)['id']}"


def test_starting_a_run_answers_at_once(developer: APIClient, path: str) -> None:
    limits = {"cost_limit_cents": 10.5, "llm_calls_limit": 50, "latency_slo_ms": 30000}
    answer = post(
        developer, f"{path}/runs", {"input": {"hotel_id": "VV-LISBON"}, "mode": "auto", "user_id": "user-1", **limits}
    )
    body, row = answer.json(), Run.all_tenants.get()
    assert (answer.status_code, body["status"], body["mode"], body["result"]) == (201, "pending", "auto", None)
    assert (body["id"], body["workflow_id"], body["input"]) == (
        str(row.id),
        path.rsplit("/", 1)[1],
        {"hotel_id": "VV-LISBON"},
    )
    assert (row.cost_limit_micro, row.calls_limit, row.latency_limit_ms) == (105_000, 50, 30000)
    assert (row.on_behalf_of, row.subject_version, row.kind) == ("user-1", 1, "workflow")


def test_a_run_is_a_draft_unless_it_is_said_otherwise(developer: APIClient, path: str) -> None:
    assert post(developer, f"{path}/runs").json()["mode"] == "draft"


def test_limits_may_stand_in_the_input_and_the_bodys_own_win(developer: APIClient, path: str) -> None:
    post(developer, f"{path}/runs", {"input": {"llm_calls_limit": 5, "cost_limit_cents": 1}, "llm_calls_limit": 9})
    row = Run.all_tenants.get()
    assert (row.calls_limit, row.cost_limit_micro) == (9, 10_000)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "yolo"},
        {"mode": None},
        {"mode": 1},
        {"input": "text"},
        {"input": []},
        {"llm_calls_limit": "many"},
        {"llm_calls_limit": -1},
        {"llm_calls_limit": 1.5},
        {"cost_limit_cents": [1]},
        {"cost_limit_cents": True},
        {"cost_limit_cents": 1e300},
        {"latency_slo_ms": "soon"},
        {"latency_slo_ms": 0},
        {"priority": 11},
        {"priority": "high"},
    ],
)
def test_a_wrong_field_is_named(developer: APIClient, path: str, wrong: dict[str, Any]) -> None:
    body = refused(post(developer, f"{path}/runs", {"input": {}, **wrong}), 400, "VALIDATION_ERROR")
    assert list(body["context"]["errors"]) == list(wrong) and not Run.all_tenants.exists()


@pytest.mark.parametrize("body", ["[]", '"text"', "5", "null"])
def test_a_body_that_is_no_object_is_refused(developer: APIClient, path: str, body: str) -> None:
    for tail in ("runs", "execute"):
        answer = developer.post(f"{path}/{tail}", data=body, content_type="application/json")
        refused(answer, 400, "VALIDATION_ERROR")


def test_naming_another_tenant_is_forbidden(developer: APIClient, path: str) -> None:
    assert post(developer, f"{path}/runs", {"tenant_id": "acme"}).status_code == 201
    refused(post(developer, f"{path}/runs", {"tenant_id": "other"}), 403, "FORBIDDEN")
    assert Run.all_tenants.count() == 1


def test_execute_takes_the_body_as_input(developer: APIClient, path: str) -> None:
    answer = post(developer, f"{path}/execute", {"city": "Lisbon", "tenant_id": "data of its own"})
    body, row = answer.json(), Run.all_tenants.get()
    assert (answer.status_code, body["execution_id"], body["workflow_id"]) == (201, str(row.id), path.rsplit("/", 1)[1])
    assert set(body) == {"workflow_id", "execution_id", "status", "started_at"}
    assert (row.input, row.mode) == ({"city": "Lisbon", "tenant_id": "data of its own"}, "auto")


@pytest.mark.parametrize("tail", ["runs", "execute"])
def test_the_same_key_and_body_replays_the_first_answer(developer: APIClient, path: str, tail: str) -> None:
    first = post(developer, f"{path}/{tail}", {"input": {"a": 1, "b": 2}}, **{"Idempotency-Key": "k"})
    Run.all_tenants.update(status="completed")
    again = post(developer, f"{path}/{tail}/", {"input": {"b": 2, "a": 1}}, **{"Idempotency-Key": "k"})
    assert first.json() == again.json() and first.status_code == again.status_code == 201
    assert "Idempotency-Replayed" not in first.headers and again.headers["Idempotency-Replayed"] == "true"


def test_the_same_key_with_another_request_is_a_conflict(developer: APIClient, path: str) -> None:
    key = {"Idempotency-Key": "k"}
    post(developer, f"{path}/runs", {"input": {"a": 1}}, **key)
    refused(post(developer, f"{path}/runs", {"input": {"a": 2}}, **key), 409, "IDEMPOTENCY_CONFLICT")
    refused(post(developer, f"{path}/execute", {"input": {"a": 1}}, **key), 409, "IDEMPOTENCY_CONFLICT")


def test_two_tenants_may_use_the_same_key(developer: APIClient, stranger: APIClient, path: str) -> None:
    theirs = f"{PATH}/{made(stranger)['id']}"
    ids = {
        post(api, f"{flow}/runs", **{"Idempotency-Key": "k"}).json()["id"]
        for api, flow in ((developer, path), (stranger, theirs))
    }
    assert len(ids) == 2


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "ä", "a\tb"])
def test_a_key_that_cannot_be_one_is_refused(developer: APIClient, path: str, key: str) -> None:
    body = refused(post(developer, f"{path}/runs", **{"Idempotency-Key": key}), 400, "VALIDATION_ERROR")
    assert "Idempotency-Key" in body["context"]["errors"]


def test_a_start_asks_nothing_besides_its_three_prepared_statements(developer: APIClient, path: str) -> None:
    """Who is asking, which version, and the insert are prepared; whatever else is asked shows here."""
    with CaptureQueriesContext(connection) as asked:
        post(developer, f"{path}/runs", {"input": {}})
    scope = ("SAVEPOINT", "RELEASE", "SET LOCAL ROLE", "SELECT set_config")  # a transaction in that of the test
    assert [query["sql"] for query in asked if not query["sql"].startswith(scope)] == []


def test_a_read_only_key_holder_starts_nothing(path: str) -> None:
    assert APIClient().post(f"{path}/runs", {}, format="json").status_code == 401
    assert client("acme", "user").post(f"{path}/runs", {}, format="json").status_code == 201
