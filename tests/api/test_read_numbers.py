"""Whole numbers in queries and headers: read whole, however many digits they have, or refused by name."""

import base64
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Tenant
from agents.llm.providers.answer_parts import provider_error
from governance.conditions import holds
from orchestration.models import Run, RunEvent

ZEROS = "0" * 5_000
BEYOND = ["000000000000999999999999", "9" * 5_000, ZEROS + "2147483648", "-1", "1.5", "1_0", "٣", "x"]


@pytest.fixture
def run(tenant: Tenant) -> Run:
    """A completed run with three events."""
    run = Run.all_tenants.create(tenant=tenant, kind="test.numbers", status="completed", result="done")
    for seq in (1, 2, 3):
        RunEvent.all_tenants.create(tenant=tenant, run_id=run.id, seq=seq, kind="note", payload={}, ts=timezone.now())
    return run


@pytest.mark.parametrize(
    ("after", "seqs"), [(ZEROS, [1, 2, 3]), (ZEROS + "2", [3]), ("2147483647", []), ("0", [1, 2, 3])]
)
def test_a_place_among_the_events_is_read_whole(api: APIClient, run: Run, after: str, seqs: list[int]) -> None:
    answer = api.get(f"/api/v1/runs/{run.pk}/events", {"after": after})
    assert [event["seq"] for event in answer.json()] == seqs
    assert api.get(f"/api/v1/runs/{run.pk}/stream", {"after": after}).status_code == 200
    assert api.get(f"/api/v1/runs/{run.pk}/stream", HTTP_LAST_EVENT_ID=after).status_code == 200


@pytest.mark.parametrize("after", BEYOND)
def test_what_is_no_place_among_events_is_refused_by_name(api: APIClient, run: Run, after: str) -> None:
    url = f"/api/v1/runs/{run.pk}"
    for answer, field in (
        (api.get(f"{url}/events", {"after": after}), "after"),
        (api.get(f"{url}/stream", {"after": after}), "after"),
        (api.get(f"{url}/stream", HTTP_LAST_EVENT_ID=after), "Last-Event-ID"),
    ):
        assert answer.status_code == 400 and list(answer.json()["context"]["errors"]) == [field], after[:30]


@pytest.mark.parametrize(
    ("wait", "applied"), [("wait=5", 5), (f"wait={ZEROS}5", 5), (f"wait={'9' * 5_000}", 30), ("wait=0000030", 30)]
)
def test_a_wait_is_read_whole(api: APIClient, run: Run, wait: str, applied: int) -> None:
    answer = api.get(f"/api/v1/runs/{run.pk}", HTTP_PREFER=wait)
    assert (answer.status_code, answer["Preference-Applied"]) == (200, f"wait={applied}")


@pytest.mark.parametrize("wait", [f"wait={ZEROS}", "wait=-5", "wait=٣", "wait="])
def test_no_wait_is_no_error(api: APIClient, run: Run, wait: str) -> None:
    answer = api.get(f"/api/v1/runs/{run.pk}", HTTP_PREFER=wait)
    assert answer.status_code == 200 and "Preference-Applied" not in answer


@pytest.mark.parametrize(
    ("query", "seqs"),
    [
        ({"offset": ZEROS + "1"}, [2, 3]),
        ({"limit": ZEROS + "2"}, [1, 2]),
        ({"limit": "-" + "9" * 5_000}, [1]),
        ({"offset": "9" * 5_000}, []),
    ],
)
def test_a_page_of_an_array_is_read_whole(api: APIClient, run: Run, query: dict[str, str], seqs: list[int]) -> None:
    answer = api.get(f"/api/v1/runs/{run.pk}/events", query)
    assert [event["seq"] for event in answer.json()] == seqs


@pytest.mark.parametrize("value", ["1_0", "٣", "+-1", "x" + ZEROS])
@pytest.mark.parametrize("name", ["limit", "offset"])
def test_a_bad_page_of_an_array_is_refused_by_name(api: APIClient, run: Run, name: str, value: str) -> None:
    answer = api.get(f"/api/v1/runs/{run.pk}/events", {name: value})
    assert answer.status_code == 400 and list(answer.json()["context"]["errors"]) == [name]


@pytest.mark.parametrize(("page", "number"), [(ZEROS + "1", 1), ("9" * 5_000, 1), ("-" + ZEROS, 1)])
def test_a_page_is_read_whole(api: APIClient, run: Run, page: str, number: int) -> None:
    assert api.get("/api/v1/runs", {"page": page}).json()["meta"]["page"] == number


def test_a_window_is_read_whole(api: APIClient, run: Run) -> None:
    for window in (ZEROS + "3", "9" * 5_000):
        assert api.get(f"/api/v1/runs/{run.pk}/stream", {"window": window}).status_code == 200


def test_a_chunk_and_a_version_of_a_file_are_read_whole(api: APIClient) -> None:
    content = base64.b64encode(b"0123456789").decode()
    id = api.post("/api/v1/files", {"path": "a.txt", "content": content}, format="json").json()["id"]
    body = api.get(f"/api/v1/files/{id}/chunks", {"chunk": ZEROS + "2", "size": ZEROS + "4"}).json()
    assert base64.b64decode(body["content"]) == b"89"
    assert api.get(f"/api/v1/files/{id}/chunks", {"chunk": "9" * 5_000}).status_code == 400
    assert api.get(f"/api/v1/files/{id}", {"version": ZEROS + "1"}).json()["version"] == 1
    assert api.get(f"/api/v1/files/{id}", {"version": "9" * 5_000}).status_code in (400, 404)


def test_a_path_of_a_condition_may_have_any_digits() -> None:
    assert not holds({"a": [1]}, f"a[{'9' * 5_000}]", "exists", None)


@pytest.mark.parametrize(("code", "status"), [("429", 429), ("9" * 5_000, None), (ZEROS, None), (ZEROS + "500", 500)])
def test_the_code_of_a_providers_error_may_have_any_digits(code: Any, status: int | None) -> None:
    assert provider_error({"code": code, "message": "no"}).status == status
