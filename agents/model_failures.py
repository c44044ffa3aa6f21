"""What a failed model call is called: worth another try or not, in a sentence without a library's inner life."""

import logging
import re
from typing import Any

import aiohttp

from agents.assembly import ProviderError, Unreadable
from agents.errors import AgentExecutionError, ModelUnavailable
from agents.excerpts import summary

log = logging.getLogger(__name__)
WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 429})
MAX_REASON = 500  # characters of a provider's error
PREFIX = re.compile(
    r"^(?:litellm\.)?\w+(?:Error|Exception|Timeout): (?:litellm\.)?(?:\w+(?:Error|Exception): )*(?:\w+Exception - )?"
)
SSL_OBJECT = re.compile(r" ssl:<[^>]*>")
INNER_LIFE = re.compile(r"Traceback \(most recent|site-packages|\bFile \"[^\"]+\", line \d|\bline \d+, in \w+")
UNREADABLE = "its answer cannot be read"


class HTTPFailure(Exception):
    """The server answered with another status than 2xx."""

    def __init__(self, status: int, message: str, retry_after_s: float | None) -> None:
        super().__init__(message)
        self.status_code, self.retry_after_s = status, retry_after_s


def failure_of(fault: Exception, model: str, provider: str) -> Exception:
    """The ModelUnavailable or AgentExecutionError to raise for whatever a model call raised."""
    if isinstance(fault, ModelUnavailable | AgentExecutionError):
        return fault
    if isinstance(fault, Unreadable):
        return ModelUnavailable(f"The answer of the model {model} cannot be read: {fault}.")
    if isinstance(fault, ProviderError):
        return failure(model, provider, fault.status, fault.message)
    if isinstance(fault, aiohttp.ClientError | OSError) and not hasattr(fault, "status_code"):
        return ModelUnavailable(f"The connection to the model {model} failed: {type(fault).__name__}.")
    status = getattr(fault, "status_code", None)
    return failure(
        model, provider, status if isinstance(status, int) else None, _reason(fault, status), _retry_after_s(fault)
    )


def failure(
    model: str, provider: str, status: int | None, reason: str, retry_after_s: float | None = None
) -> Exception:
    """ModelUnavailable where the provider may answer another time, else AgentExecutionError."""
    reason = readable(reason)
    if status is None or status >= 500 or status in WORTH_ANOTHER_TRY:
        return ModelUnavailable(f"The model {model} is not available: {reason}", retry_after_s)
    return AgentExecutionError(
        f"The model {model} refused the call with status {status}: {reason}",
        model=model,
        provider=provider,
        provider_status=status,
    )


def readable(reason: str) -> str:
    """The provider's sentence, short and with its secrets masked; what stems from a library's inside is left out."""
    reason = SSL_OBJECT.sub("", PREFIX.sub("", reason))
    found = INNER_LIFE.search(reason)
    if found:
        reason = UNREADABLE
    return summary(reason, MAX_REASON)


def _reason(fault: Exception, status: Any) -> str:
    """What the fault says; nothing of one that is no provider's but of the code that reads its answers."""
    if isinstance(status, int) or hasattr(fault, "llm_provider"):
        return str(fault)
    log.warning("the code that reads a model's answer failed", exc_info=fault)
    return f"{UNREADABLE} ({type(fault).__name__})"


def _retry_after_s(fault: Exception) -> float | None:
    """Seconds that the provider asks to wait."""
    if (seconds := getattr(fault, "retry_after_s", None)) is not None:
        return float(seconds)
    response = getattr(fault, "response", None)
    for headers in (getattr(fault, "litellm_response_headers", None), getattr(response, "headers", None)):
        if headers and (seconds := seconds_of(headers.get("retry-after"))) is not None:
            return seconds
    return None


def seconds_of(retry_after: str | None) -> float | None:
    """The number of a Retry-After header; None for a date, for which the engine's own backoff will do."""
    try:
        return float(retry_after) if retry_after else None
    except ValueError:
        return None
