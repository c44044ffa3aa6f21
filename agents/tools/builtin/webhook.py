"""webhook.send: an event posted to a URL, signed as Standard Webhooks has it with the tenant's secret."""

from functools import partial

from django.utils import timezone

from agents.errors import ToolExecutionError
from agents.tools.canonical import canonical, url_form
from agents.tools.registry import Staging, ToolCall, tool
from config.http.fields import iso
from config.outbound import client
from config.values.foreign_json import write_json
from config.values.json_types import JsonObject
from orchestration.outgoing.webhooks import signature_headers, tenant_secret
from orchestration.runs.draft_effects import StagedEffect

SCHEMA = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "description": "An http or https URL."},
        "type": {"type": "string", "minLength": 1, "maxLength": 128, "description": "What has happened: ticket.closed"},
        "data": {"type": "object", "default": {}},
    },
    "required": ["url", "type"],
    "additionalProperties": False,
}


async def _stage(call: ToolCall) -> StagedEffect:
    return StagedEffect("webhook", str(client.target(call.input["url"])), None, call.input)


@tool(
    "webhook.send",
    "Send Webhook",
    "Posts an event to a URL, signed with the tenant's secret; a repeated post has the same webhook-id.",
    SCHEMA,
    risk_level="medium",
    side_effects=("external_write",),
    canonical=canonical(url=url_form),
    staging=Staging(_stage),
)
async def send_webhook(call: ToolCall) -> JsonObject:
    """{status, webhook_id}; an error when the receiver does not answer 2xx."""
    id = f"msg_{call.effect_id.hex}"
    event = {"type": call.input["type"], "timestamp": iso(timezone.now()), "data": call.input.get("data", {})}
    body = write_json(event)
    secret = await call.database(partial(tenant_secret, call.tenant_id))
    headers = signature_headers(secret, id, body) | {"content-type": "application/json"}
    answer = await client.request("POST", call.input["url"], headers=headers, data=body, follow=False)
    if not answer.ok:
        raise ToolExecutionError(f"The receiver answered {answer.status}.", status=answer.status)
    return {"status": answer.status, "webhook_id": id}
