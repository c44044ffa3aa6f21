"""http.request: call any public URL."""

from agents.handlers.http_call import output, run_headers
from agents.tools.canonical import canonical, headers_form, url_form
from agents.tools.registry import ToolCall, tool
from config.outbound import client
from config.values.json_types import JsonObject

SAFE = ("GET", "HEAD")
SCHEMA = {
    "type": "object",
    "properties": {
        "method": {"type": "string", "enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], "default": "GET"},
        "url": {"type": "string", "description": "An http or https URL."},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "body": {"description": "Sent as JSON; a text is sent as it is."},
        "timeout_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 60, "default": 10},
    },
    "required": ["url"],
}


@tool(
    "http.request",
    "HTTP Request",
    "Calls a public http or https URL and answers its status, headers and body.",
    SCHEMA,
    risk_level="medium",
    side_effects=("external_write",),
    acts_on=lambda input: input.get("method", "GET") not in SAFE,
    canonical=canonical(url=url_form, headers=headers_form),
)
async def http_request(call: ToolCall) -> JsonObject:
    """{status, headers, body}, whatever the status is."""
    arguments, body = call.input, call.input.get("body")
    method = arguments.get("method", "GET")
    headers = arguments.get("headers", {}) | ({} if method in SAFE else run_headers(call))
    answer = await client.request(
        method,
        arguments["url"],
        headers=headers,
        json=None if isinstance(body, str) else body,
        data=body if isinstance(body, str) else None,
        timeout_s=arguments.get("timeout_s", 10),
    )
    return {"status": answer.status, "headers": answer.headers, "body": output(answer)}
