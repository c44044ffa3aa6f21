"""Signed outgoing calls, as Standard Webhooks has them (standardwebhooks.com, spec 1.0.0)."""

import base64
import secrets
from datetime import UTC, datetime

from django.db import IntegrityError, transaction
from standardwebhooks import Webhook

from governance import vault
from governance.models import TenantSecret

PREFIX = "whsec_"
TENANT_KEY = "regente.callback_secret"
SECRET_BYTES = 32
MIN_KEY_LENGTH, MAX_KEY_LENGTH = 24, 64  # bytes, as the specification has it


def new_secret() -> str:
    """A signing secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def secret_fault(secret: object) -> str:
    """What is wrong with a secret that a client has chosen; "" when nothing is."""
    sentence = (
        f"Must be {PREFIX} and {MIN_KEY_LENGTH} to {MAX_KEY_LENGTH} bytes in base64; leave it out for one of ours."
    )
    if not isinstance(secret, str) or not secret.startswith(PREFIX):
        return sentence
    try:
        size = len(base64.b64decode(secret.removeprefix(PREFIX), validate=True))
    except ValueError:
        return sentence
    return "" if MIN_KEY_LENGTH <= size <= MAX_KEY_LENGTH else sentence


def signature_headers(secret: str, message_id: str, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks; a repeated call has the id of the first one."""
    now = datetime.now(UTC)
    signature = Webhook(secret).sign(message_id, now, body.decode())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def tenant_secret(tenant_id: str) -> str:
    """The secret that signs what is sent for this tenant, where no other was agreed; made when first asked for."""
    rows = TenantSecret.objects.for_tenant(tenant_id).filter(key=TENANT_KEY)
    if (row := rows.first()) is None:
        try:
            with transaction.atomic():
                secret = vault.encrypt(new_secret())
                row = TenantSecret.all_tenants.create(tenant_id=tenant_id, key=TENANT_KEY, sealed=secret)
        except IntegrityError:  # somebody else asked at the same time
            row = rows.get()
    return str(vault.decrypt(row.sealed))
