"""Secrets at rest: encrypted with a key of SECRETS_KEYS, the newest first, so that keys can be changed one by one."""

import base64
import hashlib
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from config.errors import DomainError
from governance.models import ProviderKey, TenantSecret

ALIASES = {"google": "gemini", "claude": "anthropic"}  # what people write → what providers are called here


class SecretUnreadable(DomainError):
    """A stored secret cannot be decrypted: its key is missing from SECRETS_KEYS."""

    status, code = 503, "SERVICE_UNAVAILABLE"


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...], secret_key: str) -> MultiFernet:
    """The keys in their order; without any, one that is made of SECRET_KEY."""
    derived_key = base64.urlsafe_b64encode(hashlib.sha256(b"vault:" + secret_key.encode()).digest())
    return MultiFernet([Fernet(key) for key in keys] + [Fernet(derived_key)])


def _current() -> MultiFernet:
    return _fernet(tuple(settings.SECRETS_KEYS), settings.SECRET_KEY)


def encrypt(value: Any) -> str:
    """The JSON value, encrypted."""
    return _current().encrypt(orjson.dumps(value)).decode()


def decrypt(token: str) -> Any:
    """What was sealed; SecretUnreadable when no key opens it."""
    if not token:
        return None
    try:
        return orjson.loads(_current().decrypt(token.encode()))
    except InvalidToken:
        raise SecretUnreadable from None


def reencrypt(token: str) -> str:
    """The same, sealed with the newest key: itself when it is already; SecretUnreadable when no key opens it."""
    newest = settings.SECRETS_KEYS[:1]
    try:
        (Fernet(newest[0]) if newest else _current()).decrypt(token.encode())
        return token
    except InvalidToken:
        pass
    try:
        return _current().rotate(token.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable from None


def provider_name(name: str) -> str:
    """The provider that people mean by this name, as its keys are filed."""
    return ALIASES.get(name.lower(), name.lower())


def provider_key(tenant_id: str, user_id: UUID | None, provider: str) -> str | None:
    """The key for calls of this user to this provider: the user's own, else the tenant's (RULINGS §4)."""
    if user_id is not None:
        own = ProviderKey.objects.for_tenant(tenant_id).filter(user_id=user_id, service_name=provider).first()
        if own is not None:
            return str(decrypt(own.sealed))
    names = [provider, f"{provider.upper()}_API_KEY"]
    shared = TenantSecret.objects.for_tenant(tenant_id).filter(key__in=names).order_by("environment", "key").first()
    return None if shared is None else str(decrypt(shared.sealed))
