"""Tools of an MCP server (streamable HTTP), through the one guarded client for outgoing calls."""

from typing import Any

from agents.errors import ToolExecutionError, ToolUnavailable
from agents.excerpts import summary
from agents.handlers.secrets import opened_headers
from agents.tools.registry import ToolCall
from config.errors import DomainError
from governance import outbound
from governance.outbound import Unreachable

TIMEOUT_S = 30.0


async def call_mcp(call: ToolCall) -> Any:
    """The tool's structured content, else {content: [texts]}."""
    import httpx2  # these take a second or two to import, and few workers ever call an MCP server
    from mcp import Client, MCPError
    from mcp.client.streamable_http import streamable_http_client

    config, transport = call.tool.handler_config, _transport()
    http = httpx2.AsyncClient(transport=transport, headers=opened_headers(call.tool), timeout=TIMEOUT_S)
    try:
        async with http, Client(streamable_http_client(str(config["url"]), http_client=http)) as server:
            answer = await server.call_tool(str(config["tool"]), call.input, read_timeout_seconds=TIMEOUT_S)
    except* (MCPError, httpx2.HTTPError, OSError, RuntimeError) as group:
        if transport.fault:
            raise transport.fault from None
        raise ToolExecutionError(f"The MCP server failed: {summary(_first(group), 300)}") from None
    return _output(answer)


def _output(answer: Any) -> Any:
    texts = [part.text for part in answer.content if getattr(part, "text", None) is not None]
    if answer.is_error:
        raise ToolExecutionError(f"The MCP tool failed: {summary(' '.join(texts), 500)}")
    return answer.structured_content if answer.structured_content is not None else {"content": texts}


def _first(group: BaseException) -> str:
    """The sentence of the innermost first fault."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return str(group) or type(group).__name__


def _transport() -> Any:
    """An httpx transport whose requests are made by the guarded client: its addresses, limits and redirects hold."""
    import httpx2

    class Guarded(httpx2.AsyncBaseTransport):
        fault: DomainError | ToolUnavailable | None = None

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.method == "GET":  # the stream for what a server wants to say unasked: we listen to none
                return httpx2.Response(405, request=request)
            body = await request.aread()
            headers = {name: value for name, value in request.headers.items() if name.lower() not in outbound.OURS}
            try:
                answer = await outbound.request(
                    request.method, str(request.url), headers=headers, data=body, timeout_s=TIMEOUT_S
                )
            except Unreachable as fault:
                self.fault = ToolUnavailable(str(fault))
                raise httpx2.ConnectError(str(fault)) from None
            except DomainError as fault:
                self.fault = fault
                raise httpx2.ConnectError(fault.message) from None
            kept = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
            return httpx2.Response(answer.status, headers=kept, content=answer.body, request=request)

    return Guarded()
