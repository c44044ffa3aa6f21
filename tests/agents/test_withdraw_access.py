"""A turn that is followed ends with an error once its user may no longer read it."""

from typing import Any

import pytest

from accounts.models import Tenant, User
from agents.conversations.program import NewTurn, start_turn
from orchestration.models import Run
from orchestration.runs import access
from orchestration.runs.commands import Actor, cancel_run
from tests.factories import make_agent, make_user, token_of
from tests.front import Front, OpenStream
from tests.orchestration.running import until

pytestmark = pytest.mark.usefixtures("gateway", "engine")
URL = "/api/v1/agents/agent.helper/conversation"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda user, tenant: User.objects.filter(pk=user.pk).update(is_active=False), "UNAUTHORIZED"),
        (lambda user, tenant: User.objects.filter(pk=user.pk).update(stamp="another"), "UNAUTHORIZED"),
        (lambda user, tenant: Tenant.objects.filter(pk=tenant.pk).update(suspended=True), "TENANT_SUSPENDED"),
        (lambda user, tenant: None, "CANCELLED"),
    ],
    ids=["deactivated", "password changed", "tenant suspended", "still permitted"],
)
def test_a_turn_ends_with_an_error(
    front: Front, acme: Tenant, monkeypatch: pytest.MonkeyPatch, change: Any, code: str
) -> None:
    monkeypatch.setattr(access, "CHECK_INTERVAL_S", 0.0)
    make_agent(acme)
    user = make_user(acme)
    new = NewTurn(acme.pk, user.pk, "agent.helper", "<<say: a secret>> <<delay: 60000>>", None, {}, {})
    run = start_turn(new)[0]
    until(lambda: Run.all_tenants.filter(pk=run.pk, status="running").exists())
    stream = OpenStream(front, f"{URL}?run_id={run.pk}", token_of(user))
    assert (stream.read() or {})["type"] == "connected"
    change(user, acme)
    cancel_run(run.id, acme.pk, Actor(user.pk, "user"))
    (last,) = stream.rest()
    assert (last["type"], last["errorCode"]) == ("error", code) and last["error"]
