"""Single sign-on: the whole way through a real OpenID Connect provider, to a session of ours."""

import base64
import hashlib
from collections.abc import Iterator

import httpx
import pytest

from tests.accounts.oidc_provider import CLIENT, SECRET, Provider
from tests.product import Product, fresh_folder, started

OPERATOR = "operator@example.com"
ANA = {"sub": "ana-1", "email": "Ana@example.com", "email_verified": True, "name": "Ana"}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """The provider."""
    with Provider() as running:
        yield running


@pytest.fixture(scope="module")
def product(provider: Provider) -> Iterator[Product]:
    """A product that trusts it; whoever comes joins one tenant."""
    own = {"OIDC_ISSUER": provider.url, "OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET, "OIDC_TENANT": "hotel"}
    own |= {"DJANGO_SUPERUSER_EMAIL": OPERATOR, "DJANGO_SUPERUSER_PASSWORD": "operator-Pa55word!"}
    with fresh_folder() as folder, started(folder, **own) as running:
        yield running.ready()


def arrive(product: Product, **query: str) -> httpx.Response:
    """The answer at the end of the way, in a browser of its own."""
    with httpx.Client(follow_redirects=True, timeout=30) as browser:
        answer = browser.get(f"{product.url}/sso/login", params=query)
        assert not browser.cookies.get("sessionid"), "the browser's session on the way there is over"
        return answer


def exchange(product: Product, code: str) -> httpx.Response:
    """The session of a code."""
    return httpx.post(f"{product.url}/api/v1/auth/sso", json={"code": code}, timeout=30)


def invited(product: Product, tenant: str) -> str:
    """The code of an invitation to the tenant, by the platform's operator."""
    account = {"email": OPERATOR, "password": "operator-Pa55word!"}
    token = httpx.post(f"{product.url}/api/v1/auth/login", json=account, timeout=30).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "X-Tenant-ID": tenant}
    made = httpx.post(f"{product.url}/api/v1/auth/invitations", json={"role": "user"}, headers=headers, timeout=30)
    assert made.status_code == 201, made.text
    return str(made.json()["code"])


def register(product: Product, email: str, **more: str) -> dict[str, str]:
    """Headers of somebody who has registered with a password."""
    body = {"email": email, "password": "correct-Horse-7", "name": "X", **more}
    answer = httpx.post(f"{product.url}/api/v1/auth/register", json=body, timeout=30)
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_who_the_provider_knows_gets_a_session_by_a_code_that_works_once(product: Product, provider: Provider) -> None:
    provider.claims = ANA
    code = arrive(product).json()["code"]
    session = exchange(product, code)
    assert session.status_code == 200, session.text
    user = session.json()["user"]
    assert (user["email"], user["role"], user["tenant_id"]) == ("ana@example.com", "user", "hotel")
    headers = {"Authorization": f"Bearer {session.json()['access_token']}"}
    assert httpx.get(f"{product.url}/api/v1/auth/me", headers=headers).status_code == 200
    assert exchange(product, code).status_code == 401
    assert exchange(product, "made-up").status_code == 401


def test_the_subject_stays_the_same_user_whatever_the_address(product: Product, provider: Provider) -> None:
    provider.claims = ANA
    first = exchange(product, arrive(product).json()["code"]).json()["user"]
    provider.claims = ANA | {"email": "ana.souza@example.com"}
    again = exchange(product, arrive(product).json()["code"]).json()["user"]
    assert again["id"] == first["id"]


@pytest.mark.parametrize("claims", [{"email_verified": False}, {"email": ""}, {"email_verified": "yes"}])
def test_an_address_that_is_not_verified_opens_nothing(
    product: Product, provider: Provider, claims: dict[str, object]
) -> None:
    provider.claims = {**ANA, "sub": "stranger", **claims}
    answer = arrive(product)
    assert answer.status_code == 401 and "verified" in answer.json()["message"]


def test_who_had_registered_with_the_address_before_is_out(product: Product, provider: Provider) -> None:
    """In the tenant that sign-on leads to: there an admin has let the address in."""
    provider.claims = ANA
    exchange(product, arrive(product).json()["code"])
    squatter = register(product, "bea@example.com", invitation=invited(product, "hotel"))
    provider.claims = {"sub": "bea-1", "email": "bea@example.com", "email_verified": True}
    assert exchange(product, arrive(product).json()["code"]).status_code == 200
    assert httpx.get(f"{product.url}/api/v1/auth/me", headers=squatter).status_code == 401
    body = {"email": "bea@example.com", "password": "correct-Horse-7"}
    assert httpx.post(f"{product.url}/api/v1/auth/login", json=body).status_code == 401


def test_an_account_that_another_tenant_has_made_is_no_trap(product: Product, provider: Provider) -> None:
    lurker = register(product, "lurker@example.com", tenant_id="trap")
    body = {"email": "dan@example.com", "password": "correct-Horse-7", "name": "Dan", "role": "user"}
    made = httpx.post(f"{product.url}/api/v1/auth/users", json=body, headers=lurker, timeout=30)
    assert made.status_code == 201, made.text
    provider.claims = {"sub": "dan-1", "email": "dan@example.com", "email_verified": True}
    answer = arrive(product)
    assert answer.status_code == 403 and "another tenant" in answer.json()["message"]


def test_an_address_that_has_come_to_somebody_else_opens_no_account(product: Product, provider: Provider) -> None:
    provider.claims = {"sub": "cy-1", "email": "cy@example.com", "email_verified": True}
    session = exchange(product, arrive(product).json()["code"]).json()
    provider.claims = {"sub": "cy-2", "email": "CY@example.com", "email_verified": True}
    answer = arrive(product)
    assert answer.status_code == 403 and "another identity" in answer.json()["message"]
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    assert httpx.get(f"{product.url}/api/v1/auth/me", headers=headers).status_code == 200


def test_a_code_of_a_challenge_is_good_for_who_knows_the_secret_alone(product: Product, provider: Provider) -> None:
    provider.claims = ANA
    verifier = "a-secret-of-the-front-end"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    first, second = (arrive(product, challenge=challenge).json()["code"] for _ in range(2))
    assert exchange(product, first).status_code == 401
    body = {"code": second, "verifier": verifier}
    assert httpx.post(f"{product.url}/api/v1/auth/sso", json=body, timeout=30).status_code == 200


def test_who_says_no_there_is_told_so_here(product: Product, provider: Provider) -> None:
    provider.denies = True
    answer = arrive(product)
    provider.denies = False
    assert answer.status_code == 401 and answer.json()["errorCode"] == "UNAUTHORIZED", answer.text


def test_an_answer_that_was_not_asked_for_is_refused(product: Product) -> None:
    answer = httpx.get(f"{product.url}/sso/oidc/oidc/login/callback/?code=x&state=y", follow_redirects=True)
    assert answer.status_code == 401 and answer.json()["message"]


def test_without_the_setting_there_is_no_way_in(db: None) -> None:
    from django.test import Client

    assert Client().get("/sso/login").status_code == 404
    assert Client().post("/api/v1/auth/sso", {"code": "x"}, content_type="application/json").status_code == 404
