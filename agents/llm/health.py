"""Whether the model that agents use by default can be asked (GET /api/ai/health/)."""

import threading
import time
from typing import Any

import httpx
from django.conf import settings

from agents.errors import AgentExecutionError
from agents.llm.model_choice import chat_model, default_model

TIMEOUT_S = 3.0
FRESH_S = 5.0  # for so long an answer counts for all who ask
GATEWAY = "openai_compat"
_lock = threading.Lock()
_known: tuple[float, dict[str, Any]] | None = None


def model_health() -> dict[str, Any]:
    """{healthy, provider, base_url, model, error?}. A gateway is asked for its models; a provider's key or the offline
    model is taken as it is.
    """
    global _known
    with _lock:
        if _known is None or time.monotonic() - _known[0] > FRESH_S:
            _known = (time.monotonic(), _asked())
        return _known[1]


def _asked() -> dict[str, Any]:
    profile = default_model()
    told: dict[str, Any]
    if settings.LLM_BASE_URL:
        told = {"provider": GATEWAY, "base_url": settings.LLM_BASE_URL, "model": profile.model}
        error = _gateway_error()
    else:
        told, error = {"provider": profile.provider, "base_url": None, "model": profile.model}, ""
        try:
            model = chat_model(profile)
            told |= {"provider": model.provider, "model": model.model}
        except AgentExecutionError as fault:
            error = fault.message
    return {"healthy": not error, **told} | ({"error": error} if error else {})


def _gateway_error() -> str:
    """Why the gateway cannot be asked; "" when it answers. That it lists no models says nothing."""
    headers = {"Authorization": f"Bearer {settings.LLM_API_KEY}"} if settings.LLM_API_KEY else {}
    try:
        answer = httpx.get(f"{settings.LLM_BASE_URL.rstrip('/')}/models", headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as fault:
        return f"The gateway does not answer: {type(fault).__name__}."
    if answer.status_code in (401, 403):
        return f"The gateway refuses LLM_API_KEY ({answer.status_code})."
    return f"The gateway answers {answer.status_code}." if answer.status_code >= 500 else ""
