"""mail.send and webhook.send: at once, or staged in a draft and sent when it is applied; each once."""

from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from accounts.models import Tenant
from orchestration.outgoing.webhooks import tenant_secret
from tests.agents.far_end import FarEnd
from tests.agents.test_apply_draft import changes, node, run_draft, settle
from tests.factories import make_user, make_workflow, token_of
from tests.front import Front
from tests.orchestration.running import ended, start
from tests.postbox import Postbox, open_postbox

pytestmark = pytest.mark.usefixtures("engine", "far_end")
LETTER = {"to": ["ada@example.com", "bo@example.com"], "subject": "Your\nroom", "body": "It is ready."}


@pytest.fixture
def postbox(settings: Any) -> Iterator[Postbox]:
    """Where the product's mail goes."""
    with open_postbox(settings) as box:
        yield box


@pytest.fixture
def token(acme: Tenant) -> str:
    """A developer's token."""
    return token_of(make_user(acme, "developer"))


def done(acme: Tenant, tool_id: str, **input: Any) -> Any:
    """The finished run of a workflow that makes this call."""
    flow = make_workflow(acme, node("a", tool_id, **input))
    return ended(start(acme, "workflow", mode="auto", subject_id=str(flow.pk), subject_version=1))


def test_mail_is_sent_in_auto_mode(acme: Tenant, postbox: Postbox) -> None:
    run = done(acme, "mail.send", **LETTER)
    assert run.status == "completed", run.result
    [letter], [read] = postbox.letters, postbox.read()
    assert letter.rcpt_tos == LETTER["to"] and read["Subject"] == "Your room"
    assert str(read.get_payload()).strip() == LETTER["body"] and read["Message-ID"] == run.result["message_id"]


def test_mail_of_a_draft_is_staged_and_sent_once_when_applied(
    acme: Tenant, postbox: Postbox, front: Front, token: str
) -> None:
    run = run_draft(acme, node("a", "mail.send", **LETTER))
    [change] = changes(run)
    letter = LETTER | {"subject": "Your room"}
    assert (change.kind, change.target, change.after) == ("mail", "ada@example.com, bo@example.com", letter)
    assert postbox.letters == []
    for _ in range(2):
        assert settle(front, run, token).status_code == 200
    assert len(postbox.letters) == 1


def test_mail_that_is_not_taken_stays_staged(acme: Tenant, postbox: Postbox, front: Front, token: str) -> None:
    run = run_draft(acme, node("a", "mail.send", **LETTER))
    postbox.refused = 1
    answer = settle(front, run, token)
    assert answer.status_code == 424 and "did not take the letter" in answer.text
    assert settle(front, run, token).status_code == 200 and len(postbox.letters) == 1


@pytest.mark.parametrize(("input", "told"), [({"to": ["nobody"]}, "no e-mail address"), ({"subject": ""}, "subject")])
def test_a_wrong_letter_is_refused(acme: Tenant, postbox: Postbox, input: dict[str, Any], told: str) -> None:
    run = done(acme, "mail.send", **LETTER | input)
    assert run.status == "failed" and told in str(run.result) and postbox.letters == []


def test_without_a_mail_server_the_call_says_what_to_set(acme: Tenant) -> None:
    run = done(acme, "mail.send", **LETTER)
    assert run.status == "failed" and "EMAIL_HOST" in run.result["error"]


def test_a_webhook_is_signed_and_a_repeated_post_can_be_told(
    acme: Tenant, far_end: FarEnd, front: Front, token: str
) -> None:
    event = {"url": f"{far_end.url}/in", "type": "room.ready", "data": {"room": 7}}
    run = run_draft(acme, node("a", "webhook.send", **event))
    [change] = changes(run)
    assert (change.kind, change.target) == ("webhook", event["url"]) and far_end.hits == []
    far_end.answer = lambda _: (503 if len(far_end.hits) < 2 else 204, {}, b"")
    assert settle(front, run, token).status_code == 424
    assert settle(front, run, token).status_code == 200
    first, second = far_end.hits
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    body = Webhook(tenant_secret(acme.pk)).verify(second.body, second.headers)
    assert (body["type"], body["data"]) == ("room.ready", {"room": 7})


def test_a_webhook_to_a_private_address_is_refused(acme: Tenant) -> None:
    run = done(acme, "webhook.send", url="http://10.0.0.1/", type="x")
    assert run.status == "failed" and "10.0.0.1" in str(run.result)
