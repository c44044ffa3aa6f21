"""Frames of server-sent events."""

from config.http.renderers import dumps
from config.values.json_types import JsonObject

COMMENT_S = 15.0  # a stream that is quiet for so long sends a comment, so that proxies keep it open
COMMENT = b": still here\n\n"


def sse_frame(body: JsonObject, event_id: int | None = None) -> bytes:
    """One frame; no `event:` line, which would hide it from onmessage."""
    head = b"" if event_id is None else b"id: %d\n" % event_id
    return head + b"data: " + dumps(body) + b"\n\n"
