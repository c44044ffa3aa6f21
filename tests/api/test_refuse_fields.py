"""Every field of jobs and tasks, given every kind of JSON value: taken, or refused by name; never our fault."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

VALUES: tuple[Any, ...] = (None, True, 7, -1, 1.5, "x", "", "x" * 300, [], [7], ["x"], [[]], {}, {"a": 1}, [{"a": [1]}])
ITEMS = [{"id": 1, "value": 2, "timestamp": "2026-05-04T12:00:00Z", "type": "CM"}]
ALERT = {"id": 1, "asset_tag": "A", "parameter_key": "t", "triggered_at": "2026-05-04T12:00:00Z", "description": "d"}
FULL = {"asset_id": 1, "asset": {"tag": "A"}, "telemetry_window_days": 7, "corrective_lookback_days": 90}
CAUSE = {"alert_id": 1, "alert": ALERT, "window_minutes": 60, "max_readings": 10, "max_work_orders": 10}
LISTS = {"readings": ITEMS, "work_orders": ITEMS, "alerts": ITEMS}
JOB = {"related": {"type": "asset", "id": 1}, "idempotency_key": "k", "mode": "auto", "callback_secret": ""}
DUMMY = {"echo": "x", "simulate_delay": 1, "simulate_error": False, "simulate_failure": False}
RUN = "/api/ai/agents/{}/run/"
BODIES = {
    RUN.format("dummy"): JOB | {"input": DUMMY, "callback_url": "https://example.com/"},
    RUN.format("predictive"): {"input": FULL | LISTS},
    RUN.format("root_cause"): {"input": CAUSE | LISTS},
    "/tasks": {"objective": "Say hello", "context": {"a": 1}, "file_ids": [], "git_url": None},
}


def changed(body: Any) -> Iterator[tuple[str, Any]]:
    """(place, the body with another value there) for every place and value."""
    for place in places(body):
        for value in VALUES:
            whole = copy.deepcopy(body)
            inner = whole
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = value
            yield ".".join(map(str, place)), whole


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each value within this one."""
    if at:
        yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*at, key))


@pytest.mark.parametrize("path", list(BODIES))
def test_no_value_of_any_field_is_a_fault_of_ours(api: APIClient, path: str) -> None:
    for place, body in changed(BODIES[path]):
        answer = api.post(path, body, format="json")
        assert answer.status_code < 500, (place, body, answer.content)
        if answer.status_code >= 400:
            told = answer.content.decode()
            assert place.split(".")[0] in told or "detail" in told, (place, body, told)
