"""Makes what tests start from, each with working defaults."""

import itertools
import uuid
from typing import TYPE_CHECKING

from accounts.models import Membership, Tenant, User

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from agents.models import Agent
    from orchestration.models import Workflow

PASSWORD = "correct-Horse-7"


def make_tenant(**fields: object) -> Tenant:
    """A saved tenant with an id of its own."""
    name = f"tenant-{uuid.uuid4().hex[:10]}"
    return Tenant.objects.create(**{"id": name, "name": name, **fields})


def make_user(tenant: Tenant, role: str = "user", **fields: object) -> User:
    """A saved member of the tenant with this role; the password is PASSWORD."""
    email = fields.pop("email", f"{role}-{uuid.uuid4().hex[:10]}@example.com")
    user = User.objects.create_user(str(email), PASSWORD, **fields)
    Membership.all_tenants.create(tenant=tenant, user=user, role=role)
    return user


def log_in(user: User) -> "APIClient":
    """A client with the user's access token, got by the login route."""
    from rest_framework.test import APIClient

    client = APIClient()
    answer = client.post("/api/v1/auth/login", {"email": user.email, "password": PASSWORD}, format="json")
    assert answer.status_code == 200, answer.content
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access_token']}")
    return client


def token_of(user: User) -> str:
    """An access token of the user."""
    return str(log_in(user)._credentials["HTTP_AUTHORIZATION"]).removeprefix("Bearer ")


def make_agent(tenant: Tenant, key: str = "agent.helper", **fields: object) -> "Agent":
    """A saved agent of the model gpt-4o-mini."""
    from agents.models import Agent

    profile = {"provider": "openai", "model": "gpt-4o-mini"}
    made = {"name": key, "instructions": "You are helpful.", "model_profile": profile, **fields}
    return Agent.all_tenants.create(tenant=tenant, key=key, **made)


def make_workflow(tenant: Tenant, *nodes: dict, edges: list[dict] | None = None, **fields: object) -> "Workflow":
    """A saved workflow of these nodes (one static node when none is given), in a row or with these edges."""
    from orchestration.workflows.definition.workflow_versions import create_workflow

    steps = list(nodes) or [{"id": "start", "type": "static", "config": {"output": {"done": True}}}]
    row = [{"from": one["id"], "to": next_one["id"]} for one, next_one in itertools.pairwise(steps)]
    definition = {"nodes": steps, "edges": row if edges is None else edges}
    return create_workflow(tenant.pk, {"name": "flow", "type": "graph", "definition": definition, **fields})
