"""Refreshing: each refresh token is good once, and reuse ends the session."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.login.tokens import Session, open_session
from accounts.models import Membership, RefreshToken, Tenant, User
from tests.factories import make_user


@pytest.fixture
def session(tenant: Tenant) -> Session:
    """A user's open session."""
    return open_session(Membership.all_tenants.get(user=make_user(tenant)))


def refresh(token: Any, client: APIClient | None = None) -> Any:
    return (client or APIClient()).post("/api/v1/auth/refresh", {"refresh_token": token}, format="json")


def works(access_token: str) -> bool:
    return APIClient().get("/api/v1/auth/me", HTTP_AUTHORIZATION=f"Bearer {access_token}").status_code == 200


def test_the_answer_has_new_tokens_that_work(session: Session) -> None:
    body = refresh(session.refresh_token).json()
    assert body["refresh_token"] != session.refresh_token
    assert works(body["access_token"])
    assert refresh(body["refresh_token"]).status_code == 200


def test_using_a_token_again_ends_the_whole_session(session: Session) -> None:
    second = refresh(session.refresh_token).json()["refresh_token"]
    again = refresh(session.refresh_token)
    assert (again.status_code, again.json()["errorCode"]) == (401, "UNAUTHORIZED")
    assert refresh(second).status_code == 401


def test_other_sessions_of_the_user_go_on(session: Session) -> None:
    other = open_session(session.member)
    refresh(session.refresh_token)
    refresh(session.refresh_token)
    assert refresh(other.refresh_token).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_with_one_token_one_wins(session: Session, at_once: Callable) -> None:
    answers = at_once(lambda: refresh(session.refresh_token), 6)
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401, 401]


@pytest.mark.django_db(transaction=True)
def test_a_logout_at_the_same_time_leaves_no_token_that_works(session: Session, at_once: Callable) -> None:
    headers = {"HTTP_AUTHORIZATION": f"Bearer {session.access_token}"}
    body = {"refresh_token": session.refresh_token}
    moves = [lambda: refresh(session.refresh_token)] + [
        lambda: APIClient().post("/api/v1/auth/logout", body, format="json", **headers)
    ]
    answers = at_once(lambda: moves.pop()(), 2)
    tokens = [answer.json()["refresh_token"] for answer in answers if "refresh_token" in answer.json()]
    assert all(refresh(token).status_code == 401 for token in [*tokens, session.refresh_token])


def test_an_access_token_is_no_refresh_token(session: Session) -> None:
    assert refresh(session.access_token).status_code == 401
    assert not works(session.refresh_token)


@pytest.mark.parametrize("change", [{"is_active": False}, {"stamp": "another"}])
def test_a_closed_account_or_a_new_password_ends_the_session(session: Session, change: dict) -> None:
    User.objects.update(**change)
    assert refresh(session.refresh_token).status_code == 401
    User.objects.update(is_active=True)
    assert refresh(session.refresh_token).status_code == 401


def test_a_deleted_users_token_is_refused(session: Session) -> None:
    User.objects.all().delete()
    assert refresh(session.refresh_token).status_code == 401


def test_a_session_ends_a_week_after_its_last_use(session: Session) -> None:
    RefreshToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert refresh(session.refresh_token).status_code == 401


def test_a_new_role_is_in_the_next_token(session: Session) -> None:
    Membership.all_tenants.update(role="developer")
    body = refresh(session.refresh_token).json()
    me = APIClient().get("/api/v1/auth/me", HTTP_AUTHORIZATION=f"Bearer {body['access_token']}").json()
    assert me["role"] == "developer"


def test_only_hashes_are_stored(session: Session) -> None:
    row = RefreshToken.objects.get()
    assert len(row.current) == 64 and row.current not in session.refresh_token


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 5000, 7, None, {}, "llm_" + "x" * 43])
def test_what_is_no_token_is_refused(db: None, token: Any) -> None:
    assert refresh(token).status_code in (400, 401)
