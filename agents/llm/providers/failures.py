"""The errors of failed model calls: worth another try or not, in a sentence without the internals of a library."""

import logging
import re

import aiohttp

from agents.errors import AgentExecutionError, ModelUnavailable
from agents.excerpts import summary
from agents.llm.providers.answer_parts import ProviderError, Unreadable

log = logging.getLogger(__name__)
WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 429})
MAX_REASON = 500  # characters of a provider's error
PREFIX = re.compile(r"^(?:(?:litellm\.)?\w+(?:Error|Exception|Timeout)(?::| -)\s+)+|\blitellm\.\w+:\s*")
SSL_OBJECT = re.compile(r" ssl:<[^>]*>")
# Messages of Python and its libraries about their own code, which no user can act upon.
INTERNALS = re.compile(
    r"Traceback \(most recent|site-packages|\bFile \"[^\"]+\", line \d|\bline \d+, in \w+"
    r"|'\w+' object |can only concatenate|recursion depth|validation errors? for|indices must be|keyword argument"
    r"|Unable to get json response",
    re.IGNORECASE,
)
UNREADABLE = "its answer cannot be read"
NO_REASON = "its server failed, and gives no reason that is fit to be shown"


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
    fault = getattr(fault, "original_exception", None) or fault  # what LiteLLM wraps that breaks in a stream
    status = getattr(fault, "status_code", None)
    status = status if isinstance(status, int) and not 200 <= status < 300 else None
    return failure(model, provider, status, _reason(fault), _retry_after_s(fault))


def failure(
    model: str, provider: str, status: int | None, reason: str, retry_after_s: float | None = None
) -> Exception:
    """ModelUnavailable where the provider may answer another time, else AgentExecutionError."""
    reason = readable(reason, UNREADABLE if status is None else NO_REASON)
    if status is None or status >= 500 or status in WORTH_ANOTHER_TRY:
        return ModelUnavailable(f"The model {model} is not available: {reason}", retry_after_s)
    return AgentExecutionError(
        f"The model {model} refused the call with status {status}: {reason}",
        model=model,
        provider=provider,
        provider_status=status,
    )


def readable(reason: str, otherwise: str) -> str:
    """The provider's sentence, short and with its secrets masked; `otherwise` for a message about internals."""
    reason = SSL_OBJECT.sub("", PREFIX.sub("", reason))
    return summary(otherwise if INTERNALS.search(reason) else reason, MAX_REASON)


def _reason(fault: Exception) -> str:
    """The provider's message; for a fault of the code that reads answers its class alone, and the trace in the log."""
    if hasattr(fault, "status_code") or hasattr(fault, "llm_provider"):
        return str(fault)
    log.warning("the code that reads a model's answer failed", exc_info=fault)
    return f"{UNREADABLE} ({type(fault).__name__})"


def _retry_after_s(fault: Exception) -> float | None:
    """The seconds of the provider's Retry-After."""
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
