"""Errors in each façade's own words, without secrets, with a way out."""

import re
from typing import Any

import pytest
from django.test import Client

CORE, TEAMS, JOBS, TASKS = "/api/v1/things", "/api/v1/teams", "/api/ai/jobs", "/tasks"
KEYS = {"statusCode", "errorCode", "message", "context", "timestamp", "path", "traceId"}


@pytest.fixture(autouse=True)
def doors(settings: Any) -> None:
    """Every façade has a view that raises what it is asked for."""
    settings.ROOT_URLCONF = "tests.api.doors"


def get(path: str, fault: str) -> Any:
    return Client(raise_request_exception=False).get(path, {"raise": fault})


def post(path: str, body: Any, **headers: str) -> Any:
    return Client(raise_request_exception=False).post(path, body, content_type="application/json", **headers)


def test_the_core_answers_with_all_keys() -> None:
    answer = get(CORE, "missing")
    body = answer.json()
    assert set(body) == KEYS and answer["Content-Type"] == "application/json"
    assert (body["statusCode"], body["errorCode"], body["path"]) == (404, "WORKFLOW_NOT_FOUND", CORE)
    assert body["context"] == {"workflow_id": "w"} and body["traceId"] == answer["X-Trace-ID"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["timestamp"])


def test_the_team_paths_add_detail() -> None:
    body = get(TEAMS, "forbidden").json()
    assert set(body) == KEYS | {"detail"} and body["detail"] == body["message"]


@pytest.mark.parametrize("path", [JOBS, TASKS, "/health"])
def test_jobs_and_tasks_answer_with_detail_alone(path: str) -> None:
    answer = get(path, "missing")
    assert (answer.status_code, answer.json()) == (404, {"detail": "There is no such workflow."})


def test_field_errors_have_each_facades_form() -> None:
    bad = {"count": "7", "items": [{"count": 1}, {"count": None}]}
    assert post(CORE, bad).json()["context"]["errors"] == {
        "count": ["Must be a whole number."],
        "items[1].count": ["This field may not be null."],
    }
    assert post(JOBS, {"count": "7"}).json() == {"count": ["Must be a whole number."]}
    answer = post(TASKS, {"count": "7"})
    assert answer.status_code == 422
    assert answer.json() == {
        "detail": [{"loc": ["body", "count"], "msg": "Must be a whole number.", "type": "type_error"}]
    }


def test_a_domain_errors_fields_have_each_facades_form() -> None:
    assert get(CORE, "invalid").json()["context"]["errors"] == {"name": ["Is taken."]}
    assert get(JOBS, "invalid").json() == {"name": ["Is taken."]}
    assert get(TASKS, "invalid").json()["detail"][0]["loc"] == ["query", "name"]


@pytest.mark.parametrize("fault", ["database", "interface", "driver"])
@pytest.mark.parametrize("path", [CORE, JOBS, TASKS])
def test_a_database_that_is_down_is_503_with_a_time_to_retry(path: str, fault: str) -> None:
    answer = get(path, fault)
    assert answer.status_code == 503 and int(answer["Retry-After"]) > 0
    assert path != CORE or answer.json()["errorCode"] == "SERVICE_UNAVAILABLE"


@pytest.mark.parametrize("path", [CORE, JOBS, TASKS])
def test_an_unforeseen_fault_is_500_logged_with_its_trace(path: str, caplog: pytest.LogCaptureFixture) -> None:
    answer = get(path, "fault")
    assert answer.status_code == 500 and "RuntimeError" not in answer.content.decode()
    assert answer["X-Trace-ID"] in caplog.text and "RuntimeError" in caplog.text


def test_a_stack_is_shown_in_debug_mode_only_and_masked(settings: Any) -> None:
    assert get(CORE, "fault").json()["context"] == {}
    settings.DEBUG = True
    details = get(CORE, "fault").json()["context"]["error_details"]
    assert "Traceback" in details["stack"] and "abcdefghij" not in str(details)


def test_a_value_that_the_database_cannot_take_is_400() -> None:
    assert get(CORE, "data").json()["errorCode"] == "BAD_REQUEST"


def test_too_many_requests_say_when_to_come_back() -> None:
    answer = get(CORE, "limited")
    assert (answer.status_code, answer["Retry-After"]) == (429, "7")
    assert answer.json()["errorCode"] == "RATE_LIMIT_EXCEEDED"


def test_secrets_in_the_context_are_masked_and_numbers_are_not() -> None:
    context = get(CORE, "conflict").json()["context"]
    assert context == {"api_key": "***", "used_by": {"password": "***", "prompt_tokens": 5}}


def test_a_refused_secret_is_not_repeated() -> None:
    for path in (CORE, TEAMS, JOBS, TASKS):
        answer = post(path, {"api_key": "my-own-secret"})
        assert answer.status_code in (400, 422) and "my-own-secret" not in answer.content.decode()


def test_long_inputs_are_cut() -> None:
    text = get(CORE, "long").content.decode()
    assert "x" * 201 not in text and "y" * 201 not in text
    assert "z " * 101 not in post(CORE, {"colour": "z " * 300}).content.decode()
    assert "p" * 201 not in Client().get("/" + "p" * 3000).content.decode()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/nothing", "/api/ai/nothing", "/tasks/nothing/", "/api/v1/teams/x/y"]
)
def test_an_unknown_path_is_its_facades_404(path: str, debug: bool, settings: Any) -> None:
    settings.DEBUG = debug
    for answer in (Client().get(path, HTTP_ACCEPT="text/html"), Client(enforce_csrf_checks=True).post(path)):
        key = "detail" if path.startswith(("/api/ai", "/tasks")) else "errorCode"
        assert answer.status_code == 404 and key in answer.json()


@pytest.mark.parametrize(("path", "key"), [(CORE, "errorCode"), (TEAMS, "detail"), (JOBS, "detail"), (TASKS, "detail")])
def test_wrong_methods_and_media_types_say_what_to_send(path: str, key: str) -> None:
    wrong = Client().delete(path)
    assert wrong.status_code == 405 and key in wrong.json()
    assert "POST" in str(wrong.json()) and "POST" in wrong["Allow"]
    for media in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = Client().post(path, b"name=x", content_type=media)
        assert answer.status_code == 415 and "application/json" in str(
            answer.json()[key if key == "detail" else "message"]
        )


def test_django_refuses_in_json_too(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["regente.example"]
    answer = Client(raise_request_exception=False).get("/api/v1/things", HTTP_HOST="evil.example")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "BAD_REQUEST")
