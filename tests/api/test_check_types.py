"""Known fields take their own JSON type and nothing else."""

from typing import Any

import pytest
from django.test import Client

WRONG: dict[str, list[Any]] = {
    "name": [1, 1.5, True, ["a"], {"a": 1}, None, ""],
    "count": ["1", 1.0, True, [1], None, ""],
    "share": ["1.5", True, {}, None],
    "on": [1, 0, "true", "no", None, [True]],
    "colour": [1, True, "blue", ["red"], {}, None],
    "id": [1, "x", True, {"a": 1}, None],
    "at": [1, "soon", True, "2024-13-01T00:00:00Z", "9999-12-31T23:59:59-23:59", None],
    "day": [20240101, "2024-02-30", "2024-01-01T00:00:00Z", None],
    "config": ["{}", [], 1, True, None],
    "items": [{}, "x", 1, [1], ["x"], None],
}
RIGHT = {
    "name": "x",
    "count": 3,
    "share": 3,
    "on": False,
    "colour": "1",
    "id": "00000000-0000-4000-8000-000000000000",
    "at": "2024-12-19T12:00:00+02:00",
    "day": "2024-02-29",
    "config": {"any": ["thing"]},
    "items": [{"count": 1}],
}


@pytest.fixture(autouse=True)
def doors(settings: Any) -> None:
    """A view with a field of every kind."""
    settings.ROOT_URLCONF = "tests.api.doors"


def post(body: dict[str, Any]) -> Any:
    return Client().post("/api/v1/things", body, content_type="application/json")


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_a_value_of_another_type_is_refused_by_name(field: str, value: Any) -> None:
    answer = post({field: value})
    assert answer.status_code == 400
    assert next(iter(answer.json()["context"]["errors"])).startswith(field)


def test_values_of_the_right_types_are_taken() -> None:
    answer = post(RIGHT)
    assert answer.status_code == 200
    assert answer.json() == RIGHT | {"share": 3.0, "at": "2024-12-19T10:00:00Z"}
