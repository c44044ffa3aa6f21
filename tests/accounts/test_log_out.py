"""Logging out."""

from rest_framework.test import APIClient

from accounts.login.tokens import Session, open_session
from accounts.models import Membership, Tenant
from tests.factories import make_user


def log_out(session: Session, token: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {session.access_token}")
    return client.post("/api/v1/auth/logout", {"refresh_token": token}, format="json")


def refreshes(session: Session) -> bool:
    body = {"refresh_token": session.refresh_token}
    return APIClient().post("/api/v1/auth/refresh", body, format="json").status_code == 200


def open_one(tenant: Tenant) -> Session:
    return open_session(Membership.all_tenants.get(user=make_user(tenant)))


def test_it_ends_the_session_and_takes_the_cookie_back(tenant: Tenant) -> None:
    session = open_one(tenant)
    answer = log_out(session, session.refresh_token)
    assert answer.status_code == 200 and answer.json()["message"]
    assert answer.cookies["access_token"].value == ""
    assert not refreshes(session)


def test_doing_it_again_is_no_error(tenant: Tenant) -> None:
    session = open_one(tenant)
    assert [log_out(session, session.refresh_token).status_code for _ in range(2)] == [200, 200]
    assert log_out(session, "no.such.token").status_code == 200


def test_nobody_ends_another_persons_session(tenant: Tenant) -> None:
    mine, theirs = open_one(tenant), open_one(tenant)
    log_out(mine, theirs.refresh_token)
    assert refreshes(theirs)


def test_it_needs_credentials_and_a_token(anon: APIClient, api: APIClient) -> None:
    assert anon.post("/api/v1/auth/logout", {"refresh_token": "x"}, format="json").status_code == 401
    assert "refresh_token" in api.post("/api/v1/auth/logout", {}, format="json").json()["context"]["errors"]
