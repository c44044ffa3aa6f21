"""Frames as a text/event-stream that ends when its caller may no longer read the run."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import psycopg
from django import db
from django.http import StreamingHttpResponse

from config.errors import DomainError, Unavailable
from config.http.api_request import ApiHttpRequest, ApiRequest
from orchestration.live.sse import sse_frame
from orchestration.models import Run
from orchestration.runs.access import Access, caller_of

log = logging.getLogger(__name__)


def event_stream(request: ApiRequest, run: Run, frames: AsyncGenerator[bytes, None]) -> StreamingHttpResponse:
    """The answer whose body are the frames of this run."""
    caller = caller_of(request._request, run.tenant_id)
    response = StreamingHttpResponse(_while_permitted(caller, run, frames), content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response


async def _while_permitted(
    caller: ApiHttpRequest, run: Run, frames: AsyncGenerator[bytes, None]
) -> AsyncIterator[bytes]:
    """The frames, as long as the caller may read them (there is one every COMMENT_S at least); else an error frame."""
    access = Access(caller, str(run.id))
    async with aclosing(frames):
        try:
            async for part in frames:
                await access.renew()
                yield part
        except DomainError as refusal:
            yield _error(run, refusal)
        except (psycopg.Error, db.Error, OSError) as fault:
            log.warning("a stream of run %s ends: %s", run.id, type(fault).__name__)
            yield _error(run, Unavailable("The database is away; connect again with Last-Event-ID."))


def _error(run: Run, fault: DomainError) -> bytes:
    return sse_frame({"type": "error", "runId": run.id, "error": fault.message, "errorCode": fault.code})
