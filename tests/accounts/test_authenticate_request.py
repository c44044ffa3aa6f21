"""Credentials: bearer token, API key, cookie; what they stand for is the database's word."""

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.login.authentication import authenticate_token
from accounts.login.tokens import access_token
from accounts.login.tokens import claims_of as claims_of_token
from accounts.members import create_api_key
from accounts.models import ApiKey, Membership, Tenant, User
from config.errors import Unauthorized
from tests.factories import make_tenant, make_user, token_of
from tests.front import Front

ME = "/api/v1/auth/me"


@pytest.fixture
def member(tenant: Tenant) -> Membership:
    """A developer of the tenant."""
    return Membership.all_tenants.select_related("user").get(user=make_user(tenant, role="developer"))


def get(**headers: str) -> Any:
    return APIClient().get(ME, **headers)


def signed(claims: dict[str, Any], key: str = "", algorithm: str = "HS256") -> str:
    """A token with these claims and this algorithm's name, signed by hand."""
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm, "typ": "JWT"}, claims)]
    body = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    sign = hmac.new((key or settings.SIMPLE_JWT["SIGNING_KEY"]).encode(), body, hashlib.sha256).digest()
    return f"{body.decode()}.{base64.urlsafe_b64encode(sign).rstrip(b'=').decode()}"


def claims_of(member: Membership, **changes: Any) -> dict[str, Any]:
    claims = {"sub": str(member.user_id), "stamp": member.user.stamp, "jti": "1", "token_type": "access"}
    return claims | {"exp": int(time.time()) + 60} | changes


def test_every_kind_of_credential_is_taken(member: Membership) -> None:
    token, (_, key) = access_token(member), create_api_key(member, "k", ["read"])
    for headers in (
        {"HTTP_AUTHORIZATION": f"Bearer {token}"},
        {"HTTP_AUTHORIZATION": f"bearer {key}"},
        {"HTTP_X_API_KEY": key},
        {"HTTP_COOKIE": f"access_token={token}"},
    ):
        assert get(**headers).json()["email"] == member.user.email


def test_a_request_asks_nothing_besides_its_one_prepared_statement(member: Membership) -> None:
    token, (_, key) = access_token(member), create_api_key(member, "k", ["read"])
    scope = ("SAVEPOINT", "RELEASE", "SET LOCAL ROLE", "SELECT set_config")  # a transaction in that of the test
    for shown in (token, key):
        with CaptureQueriesContext(connection) as asked:  # the prepared one goes past the ORM
            assert get(HTTP_AUTHORIZATION=f"Bearer {shown}").status_code == 200
        assert [query["sql"] for query in asked if not query["sql"].startswith(scope)] == []


def test_the_role_is_the_databases_not_the_tokens(member: Membership) -> None:
    token = access_token(member)
    Membership.all_tenants.update(role="user")
    assert authenticate_token(token).role == "user"


def test_a_token_signed_by_us_is_taken(member: Membership) -> None:
    assert get(HTTP_AUTHORIZATION=f"Bearer {signed(claims_of(member))}").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - 10},
        {"exp": None},
        {"exp": "tomorrow"},
        {"token_type": "refresh"},
        {"token_type": None},
        {"stamp": "another"},
        {"stamp": None},
        {"stamp": ["x"]},
        {"sub": "00000000-0000-4000-8000-000000000000"},
        {"sub": "not-a-uuid"},
        {"sub": None},
        {"sub": {"a": 1}},
        {"sub": "\x00"},
        {"jti": None},
        {"nbf": int(time.time()) + 1000},
    ],
)
def test_a_token_of_ours_with_odd_claims_is_refused(member: Membership, changes: dict[str, Any]) -> None:
    claims = {key: value for key, value in claims_of(member, **changes).items() if value is not None}
    answer = get(HTTP_AUTHORIZATION=f"Bearer {signed(claims)}")
    assert (answer.status_code, answer.json()["errorCode"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("algorithm", ["none", "HS512", "RS256", ""])
def test_another_algorithm_is_refused(member: Membership, algorithm: str) -> None:
    token = signed(claims_of(member), algorithm=algorithm)
    assert get(HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 401
    assert get(HTTP_AUTHORIZATION=f"Bearer {token.rpartition('.')[0]}.").status_code == 401


def test_another_key_is_refused(member: Membership) -> None:
    assert get(HTTP_AUTHORIZATION=f"Bearer {signed(claims_of(member), key='k' * 40)}").status_code == 401


def test_a_token_that_was_good_ends_with_its_hour(member: Membership) -> None:
    token = access_token(member)
    claims = claims_of_token(token)
    with pytest.raises(Unauthorized, match="expired"):
        claims_of_token(token, at=claims["exp"])


@pytest.mark.parametrize("token", ["x", "a.b", "a.b.c", "llm_", "llm_" + "x" * 43, "é.é.é", "." * 50, "x" * 9000])
def test_what_is_no_credential_is_refused(db: None, token: str) -> None:
    for headers in ({"HTTP_AUTHORIZATION": f"Bearer {token}"}, {"HTTP_X_API_KEY": token}):
        answer = get(**headers)
        assert answer.status_code == 401 and answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", "Token x", ""])
def test_another_scheme_counts_as_none(db: None, header: str) -> None:
    assert "X-API-Key" in get(HTTP_AUTHORIZATION=header).json()["message"]


@pytest.mark.parametrize(
    "change",
    [{"revoked_at": timezone.now()}, {"expires_at": timezone.now() - timedelta(seconds=1)}],
)
def test_a_revoked_or_expired_key_is_refused(member: Membership, change: dict[str, Any]) -> None:
    row, key = create_api_key(member, "k", ["read"])
    ApiKey.all_tenants.filter(pk=row.pk).update(**change)
    assert get(HTTP_X_API_KEY=key).status_code == 401


def test_a_deactivated_owners_key_is_refused(member: Membership) -> None:
    _, key = create_api_key(member, "k", ["read"])
    User.objects.update(is_active=False)
    assert get(HTTP_X_API_KEY=key).status_code == 401


def test_a_key_does_not_follow_its_owner_into_another_tenant(member: Membership, other_tenant: Tenant) -> None:
    _, key = create_api_key(member, "k", ["read"])
    Membership.all_tenants.update(tenant=other_tenant)
    assert get(HTTP_X_API_KEY=key).status_code == 401


def test_a_read_key_reads_only(member: Membership) -> None:
    _, key = create_api_key(member, "k", ["read"])
    answer = APIClient().patch(ME, {"name": "x"}, format="json", HTTP_X_API_KEY=key)
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "FORBIDDEN")
    assert "write" in answer.json()["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "http://testserver.evil.example"},
        {"HTTP_ORIGIN": "http://testserver:81"},
        {"HTTP_ORIGIN": "http://[bad"},
        {"HTTP_REFERER": "https://evil.example/testserver"},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "same-site"},
        {"HTTP_ORIGIN": "http://testserver", "HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_ORIGIN": "http://testserver", "HTTP_REFERER": "https://evil.example/"},
    ],
)
def test_the_cookie_does_not_write_for_another_sites_page(member: Membership, headers: dict[str, str]) -> None:
    cookie = {"HTTP_COOKIE": f"access_token={access_token(member)}"}
    assert APIClient().patch(ME, {"name": "x"}, format="json", **cookie, **headers).status_code == 403
    assert get(**cookie, **headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"HTTP_ORIGIN": "http://testserver"},
        {"HTTP_REFERER": "http://testserver/a?b"},
        {"HTTP_SEC_FETCH_SITE": "none"},
    ],
)
def test_the_cookie_writes_for_our_own_pages(member: Membership, headers: dict[str, str]) -> None:
    cookie = {"HTTP_COOKIE": f"access_token={access_token(member)}"}
    assert APIClient().patch(ME, {"name": "x"}, format="json", **cookie, **headers).status_code == 200


def test_a_bearer_token_writes_from_anywhere(member: Membership) -> None:
    headers = {"HTTP_AUTHORIZATION": f"Bearer {access_token(member)}", "HTTP_ORIGIN": "https://app.example"}
    assert APIClient().patch(ME, {"name": "x"}, format="json", **headers).status_code == 200


def test_behind_the_real_door_the_cookie_may_write_from_our_own_pages_only(front: Front) -> None:
    user = make_user(make_tenant(), "admin")
    cookie = {"Authorization": "", "Cookie": f"access_token={token_of(user)}"}
    for origin, status in (("http://test", 201), ("https://elsewhere.example", 403)):
        headers = cookie | {"Origin": origin}
        answer = front.request("POST", "/api/v1/auth/invitations", "", headers=headers, json={"role": "user"})
        assert answer.status_code == status, answer.text
