"""Canaries: secrets that are planted everywhere are found nowhere again: not in answers, logs, events, traces, the
admin, the broker, or the database's rows.
"""

import logging
from typing import TYPE_CHECKING, Any

import pytest
import redis
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import Tenant
from agents.models import Tool
from governance import vault
from governance.models import ProviderKey, TenantSecret
from orchestration.models import Run
from tests.agents.far_end import FarEnd
from tests.agents.test_run_nodes import new_agent, node
from tests.factories import PASSWORD, log_in, make_user, make_workflow
from tests.model_server import ModelServer
from tests.orchestration.running import EngineThread, ended

if TYPE_CHECKING:
    from rest_framework.test import APIClient

HEADER, PROVIDER, TENANT = "canary-header-8f3a", "canary-provider-8f3a", "canary-tenant-8f3a"
NEW_PASSWORD = "Canary-password-8f3a"


class Ears:
    """A client that keeps what it is answered."""

    def __init__(self, api: "APIClient") -> None:
        self.api, self.heard = api, list[str]()

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON."""
        answer = getattr(self.api, method)(f"/api/v1/{path}", body, format="json")
        self.heard.append(answer.content.decode())
        assert answer.status_code < 300, answer.content
        return answer.json() if answer.content else None


def admin_pages(operator: "APIClient") -> str:
    """All lists of the admin, and the first row's page of each."""
    from django.contrib import admin

    seen = []
    for model, site in admin.site._registry.items():
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        answer = operator.get(path)
        assert answer.status_code == 200, path
        seen.append(answer.content.decode())
        row = site.get_queryset(answer.wsgi_request).first()
        if row is not None:
            seen.append(operator.get(f"{path}{row.pk}/change/", follow=True).content.decode())
    return "\n".join(seen)


def database() -> str:
    """Every row of every table, as text."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [row for (row,) in cursor.fetchall()]
    return "\n".join(found)


def broker(url: str) -> str:
    """Everything that Redis keeps."""
    client = redis.Redis.from_url(url)
    return repr([(key, client.dump(key)) for key in client.scan_iter()])


def test_planted_secrets_are_found_nowhere(
    acme: Tenant,
    engine: EngineThread,
    gateway: ModelServer,
    far_end: FarEnd,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    user = make_user(acme, "admin", is_staff=True, is_superuser=True)
    ask = Ears(log_in(user))
    ask("post", "api-keys", {"service_name": "anthropic", "api_key": PROVIDER})
    TenantSecret.all_tenants.create(tenant=acme, key="mistral", sealed=vault.encrypt(TENANT))
    config = {"url": far_end.url, "method": "POST", "headers": {"Authorization": f"Bearer {HEADER}"}}
    tool = {"id": "post", "name": "Post", "handler_type": "http", "handler_config": config}
    ask("post", "tools", tool | {"input_schema": {"type": "object"}})
    for path in ("tools/post", "tools", "api-keys", "audit/logs"):
        ask("get", path)
    keyed = {"provider": "openai", "model": "gpt-4o-mini", "max_tokens": 10}
    agent = new_agent(acme, "<<say: fine>>", model_profile=keyed)
    flow = make_workflow(acme, node("tool", "a", tool_id="post", input={}), node("agent", "b", agent_id=agent))
    far_end.answer = lambda _: (500, {}, f"who are you, Bearer {HEADER}?".encode())
    failing = ask("post", f"workflows/{flow.pk}/runs", {"mode": "auto"})["id"]
    assert ended(Run.all_tenants.get(pk=failing)).status == "failed"
    far_end.answer = lambda _: (200, {}, b'{"ok": true}')
    works = ask("post", f"workflows/{flow.pk}/runs", {"mode": "auto"})["id"]
    done = ended(Run.all_tenants.get(pk=works))
    assert done.status == "completed", done.result
    assert far_end.hits[-1].headers["authorization"] == f"Bearer {HEADER}"  # they are in use
    for run_id in (failing, works):
        for part in ("", "/steps", "/events"):
            ask("get", f"runs/{run_id}{part}")
    session = ask("post", "auth/password", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    ask.heard.pop()  # the one answer in which the tokens belong
    ask.api.credentials(HTTP_AUTHORIZATION=f"Bearer {session['access_token']}")
    ask("get", "audit/logs")
    user.refresh_from_db()
    ask.api.force_login(user)
    out, err = capfd.readouterr()
    places = {
        "answers": "\n".join(ask.heard),
        "logs": caplog.text + out + err,
        "admin": admin_pages(ask.api),
        "database": database(),
        "broker": broker(settings.REDIS_URL),
    }
    secrets = [HEADER, PROVIDER, TENANT, settings.LLM_API_KEY, settings.SECRET_KEY, NEW_PASSWORD, PASSWORD]
    secrets += [session["access_token"], session["refresh_token"]]
    assert [(place, secret) for place, text in places.items() for secret in secrets if secret in text] == []


def test_rotation_seals_everything_anew_so_that_the_old_key_can_go(
    acme: Tenant, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.SECRETS_KEYS = [old]
    of = {"tenant": acme, "sealed": vault.encrypt("precious")}
    rows = [
        ProviderKey.all_tenants.create(**of, user_id=make_user(acme).pk, service_name="openai"),
        TenantSecret.all_tenants.create(**of, key="k"),
        Tool.all_tenants.create(**of, key="t", name="t"),
    ]
    settings.SECRETS_KEYS = [new, old]
    call_command("rotate_secrets")
    assert capsys.readouterr().out.count("1 secret, 1 sealed anew") == 3
    call_command("rotate_secrets")
    assert capsys.readouterr().out.count("1 secret, 0 sealed anew") == 3
    settings.SECRETS_KEYS = [new]
    for row in rows:
        row.refresh_from_db()
        assert vault.decrypt(row.sealed) == "precious"


def test_a_secret_that_no_key_opens_is_named_and_left(acme: Tenant, settings: Any) -> None:
    settings.SECRETS_KEYS = [Fernet.generate_key().decode()]
    lost = TenantSecret.all_tenants.create(tenant=acme, key="lost", sealed=vault.encrypt("x"))
    settings.SECRETS_KEYS = [Fernet.generate_key().decode()]
    fine = TenantSecret.all_tenants.create(tenant=acme, key="fine", sealed=vault.encrypt("y"))
    with pytest.raises(CommandError, match="1 secret cannot be opened"):
        call_command("rotate_secrets")
    kept = TenantSecret.all_tenants.get(pk=lost.pk).sealed
    assert kept == lost.sealed and vault.decrypt(TenantSecret.all_tenants.get(pk=fine.pk).sealed) == "y"
