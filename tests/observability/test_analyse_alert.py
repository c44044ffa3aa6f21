"""root_cause on an alert that the tenant does not have: by a text, an unknown number, another tenant's id."""

import pytest

from accounts.models import Tenant
from tests.agents.test_run_job import finish
from tests.factories import log_in, make_tenant, make_user, token_of
from tests.front import Front
from tests.observability.rules import check, make_rule

pytestmark = pytest.mark.usefixtures("gateway", "engine")


@pytest.fixture
def token(acme: Tenant) -> str:
    """A developer's token."""
    return token_of(make_user(acme, "developer"))


@pytest.mark.parametrize("alert_id", ["west wing", "0123456789", "of another tenant"])
def test_an_alert_that_the_tenant_does_not_have_is_not_found(
    acme: Tenant, token: str, front: Front, alert_id: str
) -> None:
    other = log_in(make_user(make_tenant(), "developer"))
    make_rule(other, "memory_usage", -1)
    [alert] = check(other)
    if alert_id == "of another tenant":
        alert_id = alert["id"]
    job = finish(front, token, "root_cause", input={"alert_id": alert_id})
    assert job["status"] == "failed" and f"Alert {alert_id} not found" in job["error_message"]
