"""Trace ids: the caller's when it is safe, else a new one."""

import pytest
from django.test import Client


@pytest.mark.parametrize("given", ["trace-xyz_1", "a.b:c", "x" * 128])
def test_a_safe_id_is_echoed(given: str) -> None:
    answer = Client().get("/api/v1/nothing", HTTP_X_TRACE_ID=given)
    assert answer["X-Trace-ID"] == answer.json()["traceId"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "<script>", "a\nb", "é", "a/b"])
def test_any_other_is_replaced(given: str) -> None:
    answers = [Client().get("/api/v1/nothing", HTTP_X_TRACE_ID=given) for _ in range(2)]
    made = {answer["X-Trace-ID"] for answer in answers}
    assert len(made) == 2 and given not in made
    assert answers[0].json()["traceId"] == answers[0]["X-Trace-ID"]


def test_answers_without_a_fault_have_one_too() -> None:
    assert Client().get("/", HTTP_X_TRACE_ID="t-1")["X-Trace-ID"] == "t-1"
