"""A stream or monitor that is open ends once its caller may no longer read the run; nothing of the run is sent then."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import ApiKey, Membership, Tenant, User
from orchestration.models import Run
from orchestration.program.context import RunContext
from orchestration.program.registry import program
from orchestration.runs import access
from orchestration.runs.commands import send_event
from tests.factories import PASSWORD, log_in, make_tenant, make_user, token_of
from tests.front import Front, OpenSocket, OpenStream
from tests.orchestration.running import EngineThread, ended, start, until

POLICY_VIOLATION = 1008
Withdraw = Callable[[User, Tenant], Any]


@program("test.goes_on")
async def goes_on(ctx: RunContext) -> str:
    """Ends after the event "go"."""
    await ctx.wait_event("gate", "go")
    return "a secret"


@pytest.fixture(autouse=True)
def checks_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame is preceded by a check."""
    monkeypatch.setattr(access, "CHECK_INTERVAL_S", 0.0)


@pytest.fixture
def run(engine: EngineThread, acme: Tenant) -> Run:
    """A run that waits for its event."""
    run = start(acme, "test.goes_on")
    return until(lambda: Run.all_tenants.filter(pk=run.pk, status="running").first())


@pytest.fixture
def user(acme: Tenant) -> User:
    """A plain member."""
    return make_user(acme)


def key_of(user: User) -> str:
    """An API key of the user."""
    body = {"name": "k", "permissions": ["read"]}
    return str(log_in(user).post("/api/v1/auth/api-keys", body, format="json").json()["key"])


def deactivate(user: User, tenant: Tenant) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_stamp(user: User, tenant: Tenant) -> None:
    User.objects.filter(pk=user.pk).update(stamp="another")


def remove_member(user: User, tenant: Tenant) -> None:
    Membership.all_tenants.filter(user=user).delete()


def move_member(user: User, tenant: Tenant) -> None:
    Membership.all_tenants.filter(user=user).update(tenant=make_tenant())


def suspend(user: User, tenant: Tenant) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(suspended=True)


def revoke_key(user: User, tenant: Tenant) -> None:
    ApiKey.all_tenants.filter(user=user).update(revoked_at=timezone.now())


def expire_key(user: User, tenant: Tenant) -> None:
    ApiKey.all_tenants.filter(user=user).update(expires_at=timezone.now() - timedelta(seconds=1))


WAYS = [
    (token_of, deactivate, "UNAUTHORIZED"),
    (token_of, change_stamp, "UNAUTHORIZED"),
    (token_of, remove_member, "UNAUTHORIZED"),
    (token_of, move_member, "FORBIDDEN"),
    (token_of, suspend, "TENANT_SUSPENDED"),
    (key_of, revoke_key, "UNAUTHORIZED"),
    (key_of, expire_key, "UNAUTHORIZED"),
    (key_of, deactivate, "UNAUTHORIZED"),
    (key_of, suspend, "TENANT_SUSPENDED"),
]
EACH_WAY = pytest.mark.parametrize(("secret_of", "withdraw", "code"), WAYS)


@EACH_WAY
def test_a_stream_ends_with_an_error(
    front: Front, acme: Tenant, user: User, run: Run, secret_of: Callable[[User], str], withdraw: Withdraw, code: str
) -> None:
    stream = OpenStream(front, f"/api/v1/runs/{run.pk}/stream", secret_of(user))
    assert [stream.read()["type"], stream.read()["type"]] == ["connected", "update"]  # type: ignore[index]
    withdraw(user, acme)
    send_event(run.id, acme.pk, "go", {})
    (last,) = stream.rest()
    assert (last["type"], last["errorCode"], last["runId"]) == ("error", code, str(run.pk))
    assert last["error"] and "secret" not in str(last)


@EACH_WAY
def test_a_monitor_is_closed(
    front: Front, acme: Tenant, user: User, run: Run, secret_of: Callable[[User], str], withdraw: Withdraw, code: str
) -> None:
    socket = OpenSocket(front, f"/ws/runs/{run.pk}/monitor", [(b"authorization", f"Bearer {secret_of(user)}".encode())])
    assert socket.read()["type"] == "connected"
    withdraw(user, acme)
    send_event(run.id, acme.pk, "go", {})
    assert socket.rest()[-1]["code"] == POLICY_VIOLATION


def test_the_reason_of_a_close_fits_into_its_frame(front: Front, acme: Tenant, user: User, run: Run) -> None:
    socket = OpenSocket(front, f"/ws/runs/{run.pk}/monitor?token={token_of(user)}")
    assert socket.read()["type"] == "connected"
    Tenant.objects.filter(pk=acme.pk).update(suspended=True, suspension_reason="não pagou 😀 " * 12)
    send_event(run.id, acme.pk, "go", {})
    close = socket.rest()[-1]
    assert close["code"] == POLICY_VIOLATION and "não pagou" in close["reason"] and len(close["reason"].encode()) <= 123


def test_an_operator_who_is_none_any_more_is_refused(front: Front, acme: Tenant, run: Run) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    stream = OpenStream(front, f"/api/v1/runs/{run.pk}/stream?tenant_id={acme.pk}", token_of(root))
    assert stream.read()["type"] == "connected"  # type: ignore[index]
    User.objects.filter(pk=root.pk).update(is_staff=False)
    send_event(run.id, acme.pk, "go", {})
    assert stream.rest()[-1]["errorCode"] == "FORBIDDEN"


def test_who_may_still_read_it_gets_it_all(front: Front, acme: Tenant, user: User, run: Run) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    streams = [
        OpenStream(front, f"/api/v1/runs/{run.pk}/stream", token_of(user)),
        OpenStream(front, f"/api/v1/runs/{run.pk}/stream", key_of(user)),
        OpenStream(front, f"/api/v1/runs/{run.pk}/stream?tenant_id={acme.pk}", token_of(root)),
    ]
    socket = OpenSocket(front, f"/ws/runs/{run.pk}/monitor?token={token_of(user)}")
    send_event(run.id, acme.pk, "go", {})
    ended(run)
    assert [stream.rest()[-1]["status"] for stream in streams] == ["completed"] * 3
    assert socket.rest()[-2]["status"] == "completed"


def test_later_checks_count_as_no_requests(front: Front, acme: Tenant, user: User, run: Run, settings: Any) -> None:
    token = token_of(user)
    settings.RATE_LIMIT_USER = 2
    stream = OpenStream(front, f"/api/v1/runs/{run.pk}/stream", token)
    send_event(run.id, acme.pk, "go", {})
    assert stream.rest()[-1]["type"] == "complete"
    assert front.request("GET", f"/api/v1/runs/{run.pk}", token).status_code == 200


def test_between_two_checks_a_stream_goes_on(
    front: Front, acme: Tenant, user: User, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "CHECK_INTERVAL_S", 3_600.0)
    stream = OpenStream(front, f"/api/v1/runs/{run.pk}/stream", token_of(user))
    assert stream.read()["type"] == "connected"  # type: ignore[index]
    deactivate(user, acme)
    send_event(run.id, acme.pk, "go", {})
    assert stream.rest()[-1]["type"] == "complete"
