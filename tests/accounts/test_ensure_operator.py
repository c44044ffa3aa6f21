"""The platform's operator, made at every start and only once."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from accounts.models import Tenant, User
from tests.factories import log_in, make_user

EMAIL, SECRET = "operator@example.com", "operator-Pa55word!"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names an operator."""
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", EMAIL)
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", SECRET)


def ensure() -> str:
    out = StringIO()
    call_command("ensure_operator", stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("named")
def test_it_makes_the_operator_once(db: None) -> None:
    assert "made" in ensure() and "is there" in ensure()
    answer = APIClient().post("/api/v1/auth/login", {"email": EMAIL, "password": SECRET}, format="json")
    assert (answer.json()["user"]["role"], answer.json()["user"]["tenant_id"]) == ("admin", "operators")


@pytest.mark.usefixtures("named")
def test_an_operators_own_password_is_left_alone(db: None) -> None:
    ensure()
    user = User.objects.get()
    user.set_password("changed-Horse-9")
    user.save()
    ensure()
    assert User.objects.get().check_password("changed-Horse-9")


@pytest.mark.usefixtures("named")
def test_one_who_took_the_address_before_does_not_become_the_operator(tenant: Tenant) -> None:
    squatter = log_in(make_user(tenant, email=EMAIL))
    key = squatter.post("/api/v1/auth/api-keys", {"name": "mine"}, format="json").json()["key"]
    ensure()
    assert squatter.get("/api/v1/auth/me").status_code == 401
    assert APIClient().get("/metrics", headers={"X-API-Key": key}).status_code == 401
    assert User.objects.get().check_password(SECRET)


def test_without_a_name_it_makes_nobody(db: None) -> None:
    assert "not set" in ensure()
    assert not User.objects.exists()


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DJANGO_SUPERUSER_PASSWORD", "short"),
        ("DJANGO_SUPERUSER_PASSWORD", "password"),
        ("DJANGO_SUPERUSER_PASSWORD", "1234567890"),
        ("DJANGO_SUPERUSER_PASSWORD", EMAIL),
        ("DJANGO_SUPERUSER_PASSWORD", ""),
        ("DJANGO_SUPERUSER_EMAIL", "nobody"),
        ("DJANGO_SUPERUSER_EMAIL", "nobody@"),
        ("DJANGO_SUPERUSER_EMAIL", "@example.com"),
        ("DJANGO_SUPERUSER_EMAIL", ""),
    ],
)
def test_a_bad_value_stops_it_naming_the_variable(
    db: None, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(CommandError, match=f"^{variable}: ") as refusal:
        ensure()
    assert "\n" not in str(refusal.value) and not User.objects.exists()
    assert SECRET not in str(refusal.value)


def test_this_machines_operator_is_made_once_and_its_password_kept(
    db: None, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    for name in ("EMAIL", "PASSWORD"):
        monkeypatch.delenv(f"DJANGO_SUPERUSER_{name}", raising=False)
    settings.DATA_DIR = tmp_path
    first, again = local(), local()
    assert first == again and first["email"] == "admin@example.com"
    assert (tmp_path / "operator_credentials.json").stat().st_mode & 0o777 == 0o600
    user = User.objects.get(email=first["email"])
    assert user.is_superuser and user.check_password(first["password"])
    user.set_password("another-Horse-7")
    user.save()
    assert local()["password"] == "(changed by its user)"


def test_a_named_operator_stands_in_for_this_machines(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", "root@example.com")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct-Horse-7-root")
    assert local() == {"email": "root@example.com"}
    assert not User.objects.filter(email="admin@example.com").exists()


def local() -> dict[str, str]:
    """What the command says with --local."""
    output = StringIO()
    call_command("ensure_operator", local=True, stdout=output)
    answer: dict[str, str] = json.loads(output.getvalue())
    return answer
