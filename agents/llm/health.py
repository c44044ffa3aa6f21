"""Whether the model that agents use by default can be called (GET /api/ai/health/)."""

import threading
import time

import httpx
from django.conf import settings

from agents.errors import AgentExecutionError
from agents.llm.model_choice import chat_model, default_model
from config.values.json_types import JsonObject

TIMEOUT_S = 3.0
MAX_AGE_S = 5.0  # of a result that is answered again
GATEWAY = "openai_compat"
_lock = threading.Lock()
_latest: tuple[float, JsonObject] | None = None


def model_health() -> JsonObject:
    """{healthy, provider, base_url, model, error?}. A gateway is asked for its models; a provider's key and the offline
    model are not tried.
    """
    global _latest
    with _lock:
        if _latest is None or time.monotonic() - _latest[0] > MAX_AGE_S:
            _latest = (time.monotonic(), _check())
        return _latest[1]


def _check() -> JsonObject:
    profile = default_model()
    report: JsonObject
    if settings.LLM_BASE_URL:
        report = {"provider": GATEWAY, "base_url": settings.LLM_BASE_URL, "model": profile.model}
        error = _gateway_error()
    else:
        report, error = {"provider": profile.provider, "base_url": None, "model": profile.model}, ""
        try:
            model = chat_model(profile)
            report |= {"provider": model.provider, "model": model.model}
        except AgentExecutionError as fault:
            error = fault.message
    return {"healthy": not error, **report} | ({"error": error} if error else {})


def _gateway_error() -> str:
    """Why the gateway cannot be called; "" when it answers, be it that it lists no models."""
    headers = {"Authorization": f"Bearer {settings.LLM_API_KEY}"} if settings.LLM_API_KEY else {}
    try:
        answer = httpx.get(f"{settings.LLM_BASE_URL.rstrip('/')}/models", headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as fault:
        return f"The gateway does not answer: {type(fault).__name__}."
    if answer.status_code in (401, 403):
        return f"The gateway refuses LLM_API_KEY ({answer.status_code})."
    return f"The gateway answers {answer.status_code}." if answer.status_code >= 500 else ""
