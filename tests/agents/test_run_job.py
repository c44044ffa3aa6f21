"""/api/ai: jobs of agents, started once per key, seen to their end, told to whoever asked to be called back."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks import Webhook

from agents.jobs import callbacks
from orchestration.models import Run
from orchestration.program.retry import Retry
from tests.agents.far_end import FarEnd
from tests.factories import make_agent, make_tenant, make_user, token_of
from tests.front import Front
from tests.model_server import ModelServer
from tests.orchestration.running import ended, until

if TYPE_CHECKING:
    from accounts.models import Tenant

pytestmark = pytest.mark.usefixtures("gateway", "engine")
RUN = "/api/ai/agents/{}/run/"
JOBS = "/api/ai/jobs/"
OVER = {"succeeded", "failed", "timeout", "cancelled"}


@pytest.fixture
def token(acme: "Tenant") -> str:
    """A plain member's token."""
    return token_of(make_user(acme))


def begin(front: Front, token: str, agent: str = "dummy", **body: Any) -> str:
    """The id of a new job."""
    answer = front.post(RUN.format(agent), token, body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["created"] is True and answer.json()["status"] == "pending"
    return str(answer.json()["job_id"])


def detail(front: Front, token: str, job_id: str) -> dict[str, Any]:
    """The job whole."""
    answer = front.request("GET", f"{JOBS}{job_id}/", token)
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    return job


def finish(front: Front, token: str, agent: str = "dummy", **body: Any) -> dict[str, Any]:
    """The job whole, once it is over."""
    job_id = begin(front, token, agent, **body)
    ended(Run(pk=uuid.UUID(job_id)))
    return detail(front, token, job_id)


def test_dummy_echoes_its_input(front: Front, token: str) -> None:
    job = finish(front, token, input={"echo": "Hello AI!"})
    assert (job["status"], job["agent_key"], job["attempts"]) == ("succeeded", "dummy", 1)
    assert job["output_data"]["echo"] == "Hello AI!" and job["output_data"]["job_id"] == job["id"]
    assert job["input_data"] == {"echo": "Hello AI!"} and job["error_message"] is None


@pytest.mark.parametrize("flag", ["simulate_error", "simulate_failure"])
def test_a_fault_of_the_agent_fails_the_job_once(front: Front, token: str, flag: str) -> None:
    job = finish(front, token, input={flag: True})
    assert (job["status"], job["attempts"], job["output_data"]) == ("failed", 1, None)
    assert flag in job["error_message"]


def test_fifty_posts_of_one_key_make_one_job(front: Front, token: str) -> None:
    body = {"input": {"echo": "once"}, "idempotency_key": "rca:123:v1"}
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: front.post(RUN.format("dummy"), token, body), range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert Run.all_tenants.filter(kind="agent_job").count() == 1


def test_a_known_key_returns_the_old_job_whatever_the_body(front: Front, token: str) -> None:
    first = begin(front, token, idempotency_key="k")
    again = front.post(RUN.format("root_cause"), token, {"input": {}, "idempotency_key": "k"})
    assert (again.status_code, again.json()["job_id"], again.json()["created"]) == (200, first, False)
    stranger = token_of(make_user(make_tenant()))
    assert begin(front, stranger, idempotency_key="k") != first


def test_the_header_replays_the_first_answer_and_is_no_key_of_a_body(front: Front, token: str) -> None:
    url, key = RUN.format("dummy"), {"Idempotency-Key": "k"}
    first, again = (front.post(url, token, {"input": {"echo": "a"}}, headers=key) for _ in range(2))
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    other = front.post(url, token, {"input": {"echo": "b"}}, headers=key)
    assert other.status_code == 409 and isinstance(other.json()["detail"], str)
    assert begin(front, token, idempotency_key="k") != first.json()["job_id"]


@pytest.mark.parametrize(
    ("agent", "body", "place"),
    [
        ("dummy", {"input": "text"}, "input"),
        ("dummy", {"related": {"type": "alert"}}, "related"),
        ("dummy", {"related": "alert"}, "related"),
        ("dummy", {"mode": "never"}, "mode"),
        ("predictive", {"input": {"asset_id": 1, "alerts": [7]}}, "input"),
        ("predictive", {"input": {"asset_id": 1, "alerts": {}}}, "input"),
        ("predictive", {"input": {"asset_id": 1, "asset": []}}, "input"),
        ("dummy", {"idempotency_key": "k" * 256}, "idempotency_key"),
        ("dummy", {"input": {"simulate_delay": 6}}, "input"),
        ("root_cause", {"input": {"window_minutes": 60}}, "input"),
        ("root_cause", {"input": {"alert_id": [1]}}, "input"),
        ("dummy", {"callback_url": "ftp://example.com"}, "callback_url"),
        ("dummy", {"callback_url": "http://10.0.0.1/"}, "callback_url"),
        ("dummy", {"callback_secret": "hunter2"}, "callback_secret"),
    ],
)
def test_a_field_of_the_wrong_shape_is_named_and_begins_nothing(
    front: Front, token: str, agent: str, body: Any, place: str
) -> None:
    answer = front.post(RUN.format(agent), token, body)
    assert answer.status_code == 400 and list(answer.json()) == [place], answer.text
    assert not Run.all_tenants.exists()


def test_an_unknown_agent_and_an_unknown_job_are_404(front: Front, token: str) -> None:
    answer = front.post(RUN.format("nonexistent"), token, {"input": {}})
    assert (answer.status_code, answer.json()) == (404, {"detail": "Agent 'nonexistent' not found"})
    for job_id in (str(uuid.uuid4()), "not-a-uuid"):
        answer = front.request("GET", f"{JOBS}{job_id}/", token)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Job not found"})


def test_a_related_id_becomes_a_uuid_and_the_list_finds_it_by_both(front: Front, token: str) -> None:
    job = finish(front, token, related={"type": "asset", "id": 123})
    begin(front, token, related={"type": "alert", "id": 123})
    assert job["related_id"] == str(uuid.uuid5(uuid.NAMESPACE_URL, "asset:123"))
    for id in ("123", job["related_id"]):
        rows = front.request("GET", f"{JOBS}?related_type=asset&related_id={id}", token).json()
        assert [row["id"] for row in rows] == [job["id"]]
    assert len(front.request("GET", f"{JOBS}?related_id=123", token).json()) == 2


def test_the_list_speaks_the_contracts_words(front: Front, token: str) -> None:
    job = finish(front, token)
    failed = finish(front, token, input={"simulate_error": True})
    for word, expected in (("succeeded", [job["id"]]), ("failed", [failed["id"]]), ("timeout", [])):
        answer = front.request("GET", f"{JOBS}?status={word}", token)
        assert [row["id"] for row in answer.json()] == expected
    answer = front.request("GET", f"{JOBS}?status=completed", token)
    assert answer.status_code == 400 and list(answer.json()) == ["status"]


def test_a_job_that_takes_too_long_is_timed_out(front: Front, token: str, settings: Any) -> None:
    settings.JOB_TIMEOUT_S = 0.2
    job = finish(front, token, input={"simulate_delay": 5})
    assert job["status"] == "timeout" and "0.2 s" in job["error_message"]
    assert [row["id"] for row in front.request("GET", f"{JOBS}?status=timeout", token).json()] == [job["id"]]
    assert front.request("GET", f"{JOBS}?status=failed", token).json() == []


def test_a_cancelled_job_says_so(front: Front, token: str) -> None:
    job_id = begin(front, token, input={"simulate_delay": 5})
    assert front.request("POST", f"{JOBS}{job_id}/cancel/", token).status_code == 200
    ended(Run(pk=uuid.UUID(job_id)))
    assert detail(front, token, job_id)["status"] == "cancelled"


def test_any_agent_of_the_tenant_does_jobs(front: Front, acme: "Tenant", token: str, gateway: ModelServer) -> None:
    make_agent(acme, "agent.helper")
    make_agent(acme, "agent.resting", is_active=False)
    keys = [agent["key"] for agent in front.request("GET", "/api/ai/agents/", token).json()]
    assert keys == ["dummy", "predictive", "root_cause", "agent.helper"]
    job = finish(front, token, "agent.helper", input={"message": 'Say <<say: {"n": 3}>>'})
    assert job["output_data"]["data"] == {"n": 3} and job["tokens_used"] > 0
    assert front.post(RUN.format("agent.resting"), token, {}).status_code == 404


def test_a_model_that_is_away_is_asked_again_and_the_tries_count(front: Front, acme: "Tenant", token: str) -> None:
    make_agent(acme, "agent.helper")
    job = finish(front, token, "agent.helper", input={"message": "<<fail: away 1>> <<say: back>>"})
    assert (job["status"], job["attempts"], job["output_data"]["result"]) == ("succeeded", 2, "back")


def test_the_end_is_told_to_the_callback_signed_with_its_secret(front: Front, token: str, far_end: FarEnd) -> None:
    secret = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    job = finish(front, token, input={"echo": "x"}, callback_url=f"{far_end.url}/done?key=s3", callback_secret=secret)
    until(lambda: far_end.hits)
    payload = Webhook(secret).verify(far_end.hits[0].body, far_end.hits[0].headers)
    assert (payload["type"], payload["data"]["id"], payload["data"]["status"]) == (
        "run_completed",
        job["id"],
        "succeeded",
    )
    state = until(
        lambda: (callback := detail(front, token, job["id"])["callback"])["status"] == "delivered" and callback
    )
    assert [one["status"] for one in state["deliveries"]] == [200] and "s3" not in json.dumps(state)


def test_a_failed_job_is_told_too_again_until_it_arrives_under_one_id(
    front: Front, acme: "Tenant", token: str, far_end: FarEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "RETRY", Retry(5, 0.05))
    far_end.answer = lambda _: (503 if len(far_end.hits) < 3 else 200, {}, b"")
    job = finish(front, token, input={"simulate_error": True}, callback_url=far_end.url)
    state = until(
        lambda: (callback := detail(front, token, job["id"])["callback"])["status"] == "delivered" and callback
    )
    assert [one["status"] for one in state["deliveries"]] == [503, 503, 200]
    assert len({request.headers["webhook-id"] for request in far_end.hits}) == 1
    admin = token_of(make_user(acme, "admin"))
    assert front.request("GET", "/api/v1/integration/callback-secret", token).status_code == 403
    secret = front.request("GET", "/api/v1/integration/callback-secret", admin).json()["secret"]
    assert Webhook(secret).verify(far_end.hits[-1].body, far_end.hits[-1].headers)["type"] == "run_failed"


def test_a_job_that_nobody_has_begun_tells_its_cancel(front: Front, token: str, far_end: FarEnd) -> None:
    job_id = begin(front, token, input={"simulate_delay": 5}, callback_url=far_end.url)
    front.request("POST", f"{JOBS}{job_id}/cancel/", token)
    until(lambda: far_end.hits)
    assert json.loads(far_end.hits[0].body)["type"] == "run_cancelled"


def test_a_redirect_is_no_delivery_and_large_numbers_arrive(
    front: Front, token: str, far_end: FarEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "RETRY", Retry(5, 0.05))
    far_end.answer = lambda request: (302, {"location": "/login"}, b"") if len(far_end.hits) < 2 else (200, {}, b"")
    job = finish(front, token, input={"echo": 1e20}, callback_url=far_end.url)
    until(lambda: detail(front, token, job["id"])["callback"]["status"] == "delivered")
    assert [request.method for request in far_end.hits] == ["POST", "POST"]
    assert json.loads(far_end.hits[1].body)["data"]["input_data"] == {"echo": 10**20}


def test_usage_by_month_counts_tokens_of_jobs(front: Front, acme: "Tenant", token: str) -> None:
    make_agent(acme, "agent.helper")
    job = finish(front, token, "agent.helper", input={"message": "hello"})
    finish(front, token)
    [month] = front.request("GET", "/api/ai/usage/monthly/", token).json()
    assert (month["jobs"], month["llm_calls"], month["tokens_used"]) == (2, 1, job["tokens_used"])
    [month] = front.request("GET", "/api/ai/usage/monthly/?agent=dummy", token).json()
    assert (month["jobs"], month["tokens_used"]) == (1, 0)
    assert front.request("GET", "/api/ai/usage/monthly/?model=other", token).json() == []


def test_health_asks_the_gateway(
    front: Front, token: str, settings: Any, gateway: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.llm.health._latest", None)
    payload = front.request("GET", "/api/ai/health/", token).json()
    assert (payload["status"], payload["llm"]["healthy"], payload["llm"]["provider"]) == (
        "healthy",
        True,
        "openai_compat",
    )
    settings.LLM_BASE_URL = "http://127.0.0.1:9"
    monkeypatch.setattr("agents.llm.health._latest", None)
    payload = front.request("GET", "/api/ai/health/", token).json()
    assert payload["status"] == "degraded" and payload["llm"]["error"] and payload["agents"]
