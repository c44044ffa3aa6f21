"""Logging in: tokens, the cookie, and refusals that tell nothing."""

import time
from typing import Any

import pytest
from django.contrib.auth import hashers
from rest_framework.test import APIClient

from accounts.models import Tenant, User
from tests.factories import PASSWORD, make_user

URL = "/api/v1/auth/login"


def log_in(client: APIClient, email: str, password: str = PASSWORD) -> Any:
    return client.post(URL, {"email": email, "password": password}, format="json")


def test_the_answer_has_the_user_and_both_tokens(anon: APIClient, tenant: Tenant) -> None:
    user = make_user(tenant, role="developer")
    body = log_in(anon, user.email.upper()).json()
    assert (body["user"]["id"], body["user"]["role"]) == (str(user.pk), "developer")
    assert set(body) == {"user", "access_token", "refresh_token"}


def test_the_cookie_is_hidden_from_scripts_and_other_sites(anon: APIClient, tenant: Tenant, settings: Any) -> None:
    settings.COOKIE_SECURE = True
    cookie = log_in(anon, make_user(tenant).email).cookies["access_token"]
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["path"]) == (True, "Lax", True, "/")


def test_a_wrong_password_and_an_unknown_address_look_the_same(anon: APIClient, tenant: Tenant) -> None:
    wrong = log_in(anon, make_user(tenant).email, "wrong-Horse-7")
    unknown = log_in(anon, "nobody@example.com")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["message"] == unknown.json()["message"]
    assert wrong["WWW-Authenticate"].startswith("Bearer")


def test_an_unknown_address_costs_as_much_time_as_a_wrong_password(
    anon: APIClient, tenant: Tenant, settings: Any
) -> None:
    settings.PASSWORD_HASHERS = ["accounts.login.hashers.Argon2"]
    user = make_user(tenant)

    def fastest(email: str) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            log_in(anon, email, "wrong-Horse-7")
            times.append(time.perf_counter() - start)
        return min(times)

    ratio = fastest("nobody@example.com") / fastest(user.email)
    assert 0.5 < ratio < 2


def test_a_deactivated_user_cannot_log_in(anon: APIClient, tenant: Tenant) -> None:
    user = make_user(tenant)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert log_in(anon, user.email).status_code == 401


def test_a_user_of_no_tenant_cannot_log_in(anon: APIClient) -> None:
    User.objects.create_user("lost@example.com", PASSWORD)
    assert log_in(anon, "lost@example.com").status_code == 401


def test_an_operator_without_a_tenant_gets_one(anon: APIClient) -> None:
    User.objects.create_superuser("root@example.com", PASSWORD)
    assert log_in(anon, "root@example.com").json()["user"]["tenant_id"] == "operators"


def test_a_renewed_hash_keeps_sessions_alive(anon: APIClient, tenant: Tenant, settings: Any) -> None:
    user = make_user(tenant)
    first = log_in(anon, user.email).json()["access_token"]
    settings.PASSWORD_HASHERS = ["accounts.login.hashers.Argon2", *settings.PASSWORD_HASHERS]
    hashers.get_hashers.cache_clear()
    log_in(anon, user.email)
    assert User.objects.get(pk=user.pk).password.startswith("argon2")
    assert anon.get("/api/v1/auth/me", HTTP_AUTHORIZATION=f"Bearer {first}").status_code == 200


@pytest.mark.parametrize("body", [{}, {"email": "a@example.com"}, {"email": 1, "password": 2}, [], "text"])
def test_a_body_without_both_is_refused(anon: APIClient, body: Any) -> None:
    answer = anon.post(URL, body, format="json")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "VALIDATION_ERROR")
