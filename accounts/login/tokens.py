"""The tokens of a login: a signed access token, and a refresh token that is good for one use."""

import hashlib
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, partial
from typing import TypedDict, cast
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, Token

from accounts.models import Membership, RefreshToken, User
from accounts.tenancy.tenant_model import everywhere
from config.errors import Unauthorized

LIFETIME: timedelta = api_settings.REFRESH_TOKEN_LIFETIME
EXPIRED = "The access token has expired; get a new one at POST /api/v1/auth/refresh."
INVALID_REFRESH_TOKEN = "The refresh token is not valid, was used before, or its session has ended; log in again."


class RefreshJWT(Token):
    """The signed form of a refresh token: its family and its own id."""

    token_type = "refresh"
    lifetime = LIFETIME


class Claims(TypedDict):
    """What an access token says; `exp` in seconds since 1970, `stamp` the user's (another one ends their tokens)."""

    sub: str
    email: str
    role: str
    tenant_id: str
    stamp: str
    exp: int


@dataclass(frozen=True)
class Session:
    """A login's answer."""

    member: Membership
    access_token: str
    refresh_token: str


def digest(secret: str) -> str:
    """The SHA-256 of a secret that is random enough to need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def access_token(member: Membership) -> str:
    """A signed access token for this member."""
    token = AccessToken()
    token.payload |= {
        "sub": str(member.user_id),
        "email": member.user.email,
        "role": member.role,
        "tenant_id": member.tenant_id,
        "stamp": member.user.stamp,
    }
    return str(token)


def claims_of(token: str, at: float | None = None) -> Claims:
    """The verified claims of an access token that is good now (or at another time)."""
    try:
        claims = _verified_claims(token)
    except ExpiredTokenError:
        raise Unauthorized(EXPIRED) from None
    except TokenError:
        raise Unauthorized("The access token is not valid; log in again.") from None
    if claims["exp"] <= (at or time.time()):
        raise Unauthorized(EXPIRED)
    return claims


@lru_cache(maxsize=4096)
def _verified_claims(token: str) -> Claims:
    # A signature does not change, so it is checked once per process; that costs a third of a request's authentication.
    claims = cast(Claims, AccessToken(token).payload)  # type: ignore[arg-type]
    try:
        UUID(claims["sub"])
        claims["stamp"].encode()
    except (KeyError, ValueError, AttributeError):
        raise TokenError("claims of another kind") from None
    return claims


def open_session(member: Membership) -> Session:
    """A new family of refresh tokens, and the access token of its first hour."""
    token = RefreshJWT()
    user = member.user
    RefreshToken.objects.filter(user=user, expires_at__lt=timezone.now()).delete()
    family = RefreshToken.objects.create(
        user=user, current=digest(token["jti"]), stamp=user.stamp, expires_at=timezone.now() + LIFETIME
    )
    token["family"] = str(family.pk)
    return Session(member, access_token(member), str(token))


def refresh(text: str) -> Session:
    """The next pair of tokens for a refresh token that was not used before; a used one ends its whole family."""
    old = _verify(text)
    new = RefreshJWT()
    new["family"] = old["family"]
    with transaction.atomic():
        family = RefreshToken.objects.filter(pk=old["family"])
        current = family.filter(current=digest(old["jti"]), revoked_at=None, expires_at__gt=timezone.now())
        is_rotated = current.update(
            current=digest(new["jti"]), used_at=timezone.now(), expires_at=timezone.now() + LIFETIME
        )
        member = _member_of(family.values_list("user_id", "stamp").first()) if is_rotated else None
        if is_rotated and member is None:
            transaction.set_rollback(True)  # the user is gone, locked, or has a new password
    if member is None:
        refusal = Unauthorized(INVALID_REFRESH_TOKEN)
        refusal.afterwards = partial(revoke_family, old["family"])
        raise refusal
    return Session(member, access_token(member), str(new))


def _verify(text: str) -> RefreshJWT:
    """The token, when we signed it as a refresh token and it has not expired."""
    try:
        token = RefreshJWT(text)  # type: ignore[arg-type]
        UUID(token["family"])
    except (TokenError, KeyError, ValueError):
        raise Unauthorized(INVALID_REFRESH_TOKEN) from None
    return token


def _member_of(session: tuple[UUID, str] | None) -> Membership | None:
    """The member that a session belongs to, while it may go on."""
    if session is None:
        return None
    user_id, stamp = session
    members = Membership.all_tenants.select_related("user", "tenant")
    with everywhere():
        return members.filter(user_id=user_id, user__is_active=True, user__stamp=stamp).first()


def revoke_family(family: str) -> None:
    """End a session."""
    RefreshToken.objects.filter(pk=family, revoked_at=None).update(revoked_at=timezone.now())


def close_session(user: User, text: str) -> None:
    """End the session of this refresh token if it is the user's; one that has ended already is no error."""
    try:
        family = RefreshJWT(text).get("family")  # type: ignore[arg-type]
    except TokenError:
        return
    RefreshToken.objects.filter(pk=family, user=user, revoked_at=None).update(revoked_at=timezone.now())
