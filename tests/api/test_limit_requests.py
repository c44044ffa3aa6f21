"""Rate limits: exact over processes, told in the contract's headers; without Redis requests pass and logins do not."""

import asyncio
import subprocess
import sys
import time
import uuid
from typing import Any

import pytest
import redis.asyncio
from rest_framework.test import APIClient

from accounts.models import Tenant
from config.rate_limits import limiter
from tests.factories import PASSWORD, log_in, make_user

ME = "/api/v1/auth/me"
HAMMER = """
import sys
from concurrent.futures import ThreadPoolExecutor
import django
django.setup()
from django.conf import settings
from django.test import RequestFactory
from config.rate_limits import limiter
from config.errors import RateLimited
from config.http.api_request import trace_request
settings.RATE_LIMIT_IP = 100
def ask(_):
    try:
        limiter.pass_address(trace_request(RequestFactory().get("/", REMOTE_ADDR=sys.argv[1]), ""))
        return 1
    except RateLimited:
        return 0
with ThreadPoolExecutor(13) as pool:
    print(sum(pool.map(ask, range(50))))
"""


@pytest.fixture
def client(tenant: Tenant) -> "APIClient":
    """A client of a user whom nobody else counts for."""
    return log_in(make_user(tenant))


def attempt(api: "APIClient", email: str, password: str = "Wrong-pass-1", address: str = "") -> int:
    """The status of an attempt to log in."""
    body = {"email": email, "password": password}
    return api.post("/api/v1/auth/login", body, format="json", REMOTE_ADDR=address or here()).status_code


_address = f"10.{uuid.uuid4().int % 250}.{uuid.uuid4().int % 250}."


def here(nth: int = 1) -> str:
    """An address that no other test run counts for."""
    return f"{_address}{nth}"


def test_tasks_are_counted_by_themselves_and_their_window_ends_in_seconds(client: "APIClient", settings: Any) -> None:
    settings.RATE_LIMIT_TASKS, settings.RATE_LIMIT_USER = 2, 1
    before = time.time()
    answers = [client.get("/tasks") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert before < int(answers[0]["X-RateLimit-Reset"]) + 1 <= before + 62
    assert "tasks" in answers[2].json()["detail"] and int(answers[2]["Retry-After"]) > 0
    assert client.get(ME).status_code == 200, "the user's other requests are counted apart"


def test_tasks_without_credentials_are_counted_by_address(db: None, settings: Any) -> None:
    settings.RATE_LIMIT_TASKS = 2
    nobody = APIClient(REMOTE_ADDR=here(77))
    assert [nobody.get("/tasks").status_code for _ in range(3)] == [401, 401, 429]


def test_the_headers_count_down_to_a_refusal_that_says_when(client: "APIClient", settings: Any) -> None:
    settings.RATE_LIMIT_USER = 3
    answers = [client.get(ME) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer["X-RateLimit-Limit"] for answer in answers} == {"3"}
    refusal = answers[-1]
    assert refusal["X-RateLimit-Reset"].endswith("Z") and 1 <= int(refusal["Retry-After"]) <= 60
    body = refusal.json()
    assert (body["errorCode"], body["context"]["limited_by"]) == ("RATE_LIMIT_EXCEEDED", "user")


def test_an_api_key_has_a_limit_of_its_own(client: "APIClient", settings: Any) -> None:
    key = client.post("/api/v1/auth/api-keys", {"name": "k"}, format="json").json()
    settings.RATE_LIMIT_API_KEY, settings.RATE_LIMIT_USER = 1, 100_000
    secret = next(value for value in key.values() if str(value).startswith("llm_") and len(value) > 40)
    client.credentials(HTTP_X_API_KEY=secret)
    assert [client.get(ME).status_code for _ in range(2)] == [200, 429]


def test_a_tenant_is_limited_as_a_whole(client: "APIClient", tenant: Tenant, settings: Any) -> None:
    other = log_in(make_user(tenant))
    settings.RATE_LIMIT_TENANT = 2
    assert [one.get(ME).status_code for one in (client, other, client, other)] == [200, 200, 429, 429]


def test_nobody_known_counts_by_address(api: "APIClient", settings: Any) -> None:
    settings.RATE_LIMIT_IP = 2
    api.credentials(HTTP_AUTHORIZATION="Bearer llm_" + "x" * 43)
    guesses = [api.get(ME, REMOTE_ADDR=here(2)).status_code for _ in range(3)]
    assert guesses == [401, 401, 429]
    assert api.get(ME, REMOTE_ADDR=here(3)).status_code == 401
    assert api.get("/healthz", REMOTE_ADDR=here(2)).status_code == 200


def test_a_limit_is_exact_over_processes() -> None:
    program = [sys.executable, "-c", HAMMER, here(4)]
    running = [subprocess.Popen(program, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert sum(int(one.communicate(timeout=60)[0]) for one in running) == 100


def test_too_many_attempts_refuse_even_the_right_password_but_only_from_there(
    api: "APIClient", tenant: Tenant, settings: Any
) -> None:
    settings.RATE_LIMIT_LOGIN = 3
    user = make_user(tenant)
    assert [attempt(api, user.email) for _ in range(4)] == [401, 401, 401, 429]
    assert attempt(api, user.email, PASSWORD) == 429
    assert attempt(api, user.email, PASSWORD, here(5)) == 200
    assert attempt(api, make_user(tenant).email, PASSWORD) == 200


def test_one_address_may_not_try_many_accounts(api: "APIClient", settings: Any) -> None:
    settings.RATE_LIMIT_LOGIN = 1
    tried = [attempt(api, f"{nth}@example.com", address=here(6)) for nth in range(11)]
    assert tried == [401] * 10 + [429]


def test_the_admins_login_counts_too(client: "APIClient", tenant: Tenant, settings: Any) -> None:
    settings.RATE_LIMIT_LOGIN = 1
    operator = make_user(tenant, is_staff=True, is_superuser=True)
    form = {"username": operator.email, "password": "Wrong-pass-1"}
    for password in ("Wrong-pass-1", PASSWORD):
        answer = client.post("/admin/login/", form | {"password": password}, REMOTE_ADDR=here(7))
        assert answer.status_code == 200 and "sessionid" not in answer.cookies
    assert client.post("/admin/login/", form | {"password": PASSWORD}, REMOTE_ADDR=here(8)).status_code == 302


def test_without_redis_requests_pass_and_logins_do_not(
    client: "APIClient", tenant: Tenant, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    monkeypatch.setattr(limiter, "_counter", limiter._Counter())
    before = limiter.UNCOUNTED_REQUESTS._value.get()
    answer = client.get(ME)
    assert answer.status_code == 200 and "X-RateLimit-Limit" not in answer
    assert limiter.UNCOUNTED_REQUESTS._value.get() == before + 1
    assert attempt(client, make_user(tenant).email, PASSWORD) == 503


def test_model_calls_wait_for_their_turn(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RATE_LIMIT_LLM = 2
    waited: list[float] = []

    async def three_calls() -> None:
        async with redis.asyncio.Redis.from_url(settings.REDIS_URL) as client:
            pace, who = limiter.Pace(client), uuid.uuid4().hex

            async def next_window(seconds: float) -> None:
                waited.append(seconds)
                await client.delete(limiter.Limit("llm", who, 2).key)

            monkeypatch.setattr(limiter.asyncio, "sleep", next_window)
            for _ in range(3):
                await pace.wait(who)

    asyncio.run(three_calls())
    assert len(waited) == 1 and 0 < waited[0] <= 60
