"""What a request that starts a run says beside its body: the caller, and the Idempotency-Key header, which is read,
hashed with the request, and named in the answer that is a replay.
"""

import hashlib
from typing import Any

import orjson
from drf_spectacular.utils import OpenApiParameter

from config.errors import Invalid
from config.http.api_request import ApiRequest
from config.http.deferred import DeferrableResponse

MAX_KEY_LENGTH = 255
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The same key and body start one run and replay its response.",
)


def idempotency(request: ApiRequest) -> dict[str, Any]:
    """start_run's `key` and `request_hash`; no key when the header is missing, Invalid when it cannot be one."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return {}
    key = key.strip()
    if not key or len(key) > MAX_KEY_LENGTH or not (key.isascii() and key.isprintable()):
        sentence = f"Must have 1 to {MAX_KEY_LENGTH} printable ASCII characters; a UUID is a good key."
        raise Invalid({"Idempotency-Key": [sentence]})
    return {"key": key, "request_hash": request_hash(request)}


def caller_fields(request: ApiRequest) -> dict[str, Any]:
    """start_run's `created_by`, `role`, `on_behalf_of` and `trace_id`, of the caller."""
    return {
        "created_by": request.user.pk,
        "role": request.role,
        "on_behalf_of": request.on_behalf_of,
        "trace_id": request.trace_id,
    }


def request_hash(request: ApiRequest) -> str:
    """The SHA-256 of method, path and body; the order of a body's keys does not count."""
    body = orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS)
    head = f"{request.method} {request.path.rstrip('/')}\n".encode()
    return hashlib.sha256(head + body).hexdigest()


def answer(data: Any, created: bool, status: int = 201) -> DeferrableResponse:
    """The answer; a replay of an earlier one has the header Idempotency-Replayed."""
    return DeferrableResponse(data, status=status, headers=None if created else {"Idempotency-Replayed": "true"})
