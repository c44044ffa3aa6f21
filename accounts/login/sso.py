"""Single sign-on by OpenID Connect: an optional extra (django-allauth), on when OIDC_ISSUER is set.

/sso/login leads to the provider and back. Who comes back is known by the provider's subject, at first by a verified
e-mail address, and is given a code, which works once and for a minute: POST /api/v1/auth/sso makes a session of it. A
front-end that begins with /sso/login?challenge=… (the SHA-256 of a secret of its own, as PKCE has it, RFC 7636) must
show that secret as `verifier`: a code that somebody else has slipped in is then good for nothing.
"""

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import urlencode

import redis
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.utils.crypto import constant_time_compare

from accounts import members
from accounts.models import Membership, User
from config.errors import DomainError, Unauthorized, Unavailable
from config.http.error_handler import problem_of, respond

CHALLENGE = "sso_challenge"
SALT, CODE_S = "accounts.login.sso", 60
USED = "regente:sso:"


class Adapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Takes over from django-allauth once the provider has identified somebody."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Answer with a code; the browser's session with us, which was needed for the way there, ends here."""
        challenge = request.session.get(CHALLENGE, "")
        try:
            member = (
                members.member_by_sso(sociallogin.user) if sociallogin.is_existing else _first(request, sociallogin)
            )
            response = _answer(code_for(member, challenge))
        except DomainError as refusal:
            response = respond(request, problem_of(refusal))
        finally:
            request.session.flush()
        raise ImmediateHttpResponse(response)

    def on_authentication_error(self, request: HttpRequest, provider: Any, **more: Any) -> None:
        """The provider, or the redirect to it, has failed."""
        reason = str(more.get("exception") or more.get("error") or "unknown")[:200]
        error = Unauthorized(
            f"The identity provider did not confirm who you are ({reason}); begin again at /sso/login."
        )
        request.session.flush()
        raise ImmediateHttpResponse(respond(request, problem_of(error)))


def _first(request: HttpRequest, sociallogin: SocialLogin) -> Membership:
    """The member at their first sign-on, from now on found by the provider's subject."""
    data = sociallogin.account.extra_data
    id_token, userinfo = data.get("id_token") or {}, data.get("userinfo") or {}
    if id_token and userinfo and id_token.get("sub") != userinfo.get("sub"):  # OpenID Connect Core 1.0, 5.3.2
        raise Unauthorized("The identity provider speaks of two different people.")
    claims = id_token if "email" in id_token else userinfo
    email = claims.get("email")
    if not isinstance(email, str) or not email or claims.get("email_verified") is not True:
        raise Unauthorized("The identity provider names no e-mail address that it has verified.")
    with transaction.atomic():
        member = members.enter_by_sso(email, str(claims.get("name") or id_token.get("name") or ""), _is_bound)
        sociallogin.connect(request, member.user)
    return member


def _is_bound(user: User) -> bool:
    """Whether another identity of the provider's stands for this user already."""
    return bool(SocialAccount.objects.filter(user=user).exists())


def _answer(code: str) -> HttpResponse:
    if settings.OIDC_RETURN_URL:
        mark = "&" if "?" in settings.OIDC_RETURN_URL else "?"
        return HttpResponseRedirect(f"{settings.OIDC_RETURN_URL}{mark}{urlencode({'code': code})}")
    return JsonResponse({"code": code, "expires_in": CODE_S, "exchange": "POST /api/v1/auth/sso"})


def code_for(member: Membership, challenge: str = "") -> str:
    """A code that stands for the member's user, good for whoever knows what the challenge is the SHA-256 of."""
    return signing.dumps({"user": str(member.user_id), "n": secrets.token_hex(8), "c": challenge}, salt=SALT)


def redeem(code: str, verifier: str = "") -> Membership:
    """The member that the code stands for; Unauthorized for one that is wrong, late, used, or somebody else's."""
    try:
        payload = signing.loads(code, salt=SALT, max_age=CODE_S)
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=1) as server:
            first = server.set(f"{USED}{payload['n']}", "1", nx=True, ex=CODE_S * 2)
    except signing.BadSignature:
        first = None
    except redis.RedisError:
        raise Unavailable("Codes cannot be checked right now; try again shortly.") from None
    if first and payload["c"]:
        proof = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        first = constant_time_compare(proof, payload["c"])
    if not first:
        raise Unauthorized("The code is unknown, used, or older than a minute; begin again at /sso/login.")
    return members.member_by_sso(User(pk=payload["user"]))
