"""Remote tools: the tenant's own server gets {tool_id, input, context}, signed as Standard Webhooks has it."""

import time
from collections import deque
from typing import Any

from agents.errors import ToolExecutionError, ToolUnavailable
from agents.excerpts import summary
from agents.handlers.handler_secrets import secrets_of
from agents.handlers.http_call import output, run_headers
from agents.tools.registry import ToolCall
from config.outbound import client
from config.outbound.client import Unreachable
from config.values.foreign_json import write_json
from config.values.json_types import JsonObject
from orchestration.outgoing.webhooks import signature_headers

TIMEOUT_S = 300.0
FAULTS, WITHIN_S = 5, 60.0  # a server that failed so often is left alone for as long (FACTS, Tools)


class Breaker:
    """Remembers, per tool and in this process, when its server failed."""

    def __init__(self) -> None:
        self.faults: dict[tuple[str, str], deque[float]] = {}

    def check(self, key: tuple[str, str]) -> None:
        """ToolUnavailable while the server is left alone."""
        faults = self.faults.get(key)
        if faults and len(faults) == FAULTS and time.monotonic() - faults[0] < WITHIN_S:
            wait_s = WITHIN_S - (time.monotonic() - faults[-1])
            raise ToolUnavailable(
                f"The server failed {FAULTS} times within a minute; it is left alone.", max(wait_s, 1)
            )

    def note(self, key: tuple[str, str], failed: bool) -> None:
        """One call's end."""
        if failed:
            self.faults.setdefault(key, deque(maxlen=FAULTS)).append(time.monotonic())
        else:
            self.faults.pop(key, None)


_breaker = Breaker()


async def call_remote(call: ToolCall) -> Any:
    """The answer's JSON; the receiver verifies webhook-id, webhook-timestamp and webhook-signature."""
    key = (call.tenant_id, call.tool.id)
    _breaker.check(key)
    secrets = secrets_of(call.tool)
    body = write_json({"tool_id": call.tool.id, "input": call.input, "context": _context(call)})
    headers = secrets.headers | run_headers(call) | signature_headers(secrets.secret, call.key, body)
    url = str(call.tool.handler_config["url"])
    try:
        answer = await client.request(
            "POST", url, headers=headers | {"content-type": "application/json"}, data=body, timeout_s=TIMEOUT_S
        )
    except Unreachable:
        _breaker.note(key, failed=True)
        raise
    _breaker.note(key, failed=answer.status >= 500)
    if answer.ok:
        return output(answer)
    reason = f"The remote tool answered {answer.status}: {summary(answer.text)}"
    if answer.status == 429 or answer.status >= 500:
        raise ToolUnavailable(reason, answer.retry_after_s())
    raise ToolExecutionError(reason)


def _context(call: ToolCall) -> JsonObject:
    run = call.run
    return {
        "run_id": str(run.id),
        "step": call.step,
        "mode": call.mode,
        "tenant_id": run.tenant_id,
        "app_id": run.app_id or None,
        "user_id": run.on_behalf_of or (str(run.created_by) if run.created_by else None),
    }
