"""Tools of an MCP server (streamable HTTP), through the one guarded client for outgoing calls."""

from typing import Any

from agents.errors import ToolExecutionError, ToolUnavailable
from agents.excerpts import summary
from agents.handlers.handler_secrets import secrets_of
from agents.handlers.mcp_content import data_text, failure, tool_output
from agents.handlers.mcp_messages import Exchange
from agents.tools.registry import ToolCall
from config.errors import DomainError
from config.outbound import client
from config.outbound.client import Unreachable
from config.values.json_types import JsonObject

TIMEOUT_S = 30.0


async def call_mcp(call: ToolCall) -> Any:
    """The tool's structured content, and its other blocks as `content`."""
    import httpx2  # these take a second or two to import, and few workers ever call an MCP server
    from mcp import Client, MCPError
    from mcp.client.streamable_http import streamable_http_client

    config, transport = call.tool.handler_config, _transport()
    http = httpx2.AsyncClient(transport=transport, headers=secrets_of(call.tool).headers, timeout=TIMEOUT_S)
    try:
        async with http, Client(streamable_http_client(str(config["url"]), http_client=http)) as server:
            await server.call_tool(str(config["tool"]), call.input, read_timeout_seconds=TIMEOUT_S)
    except* (MCPError, httpx2.HTTPError, OSError, RuntimeError, ValueError) as group:
        if transport.fault:
            raise transport.fault from None
        if transport.result is None:
            raise ToolExecutionError(f"The MCP server failed: {_reason(group, transport.refusal)}") from None
    result = transport.result or {}
    if result.get("isError"):
        raise ToolExecutionError(f"The MCP tool failed: {failure(result)}")
    return tool_output(result)


def _reason(group: BaseException, refusal: str) -> str:
    """The innermost first fault: its sentence, and the data that the server gave with it; else its HTTP answer."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    error = getattr(group, "error", None)
    reason = summary(str(group) or type(group).__name__, 300)
    data = getattr(error, "data", None)
    return " ".join(filter(None, [reason, refusal, "" if data is None else data_text(data)]))


def _transport() -> Any:
    """An httpx transport whose requests are made by the guarded client: its addresses, limits and redirects hold."""
    import httpx2

    class GuardedTransport(httpx2.AsyncBaseTransport):
        fault: DomainError | ToolUnavailable | None = None
        result: JsonObject | None = None  # the tool's
        refusal = ""  # the server's message under a status other than 2xx

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.method == "GET":  # the stream for messages of the server's own accord, which is not opened
                return httpx2.Response(405, request=request)
            body = await request.aread()
            headers = {
                name: value for name, value in request.headers.items() if name.lower() not in client.RESERVED_HEADERS
            }
            try:
                answer = await client.request(
                    request.method, str(request.url), headers=headers, data=body, timeout_s=TIMEOUT_S
                )
            except Unreachable as fault:
                self.fault = ToolUnavailable(str(fault))
                raise httpx2.ConnectError(str(fault)) from None
            except DomainError as fault:
                self.fault = fault
                raise httpx2.ConnectError(fault.message) from None
            return self._response(request, Exchange.of(body), answer)

        def _response(self, request: httpx2.Request, exchange: Exchange, answer: client.Answer) -> httpx2.Response:
            if not answer.ok:
                self.refusal = f"({answer.status}: {summary(answer.text)})"
            content, kind = exchange.convert(answer.body, answer.headers.get("content-type", ""))
            self.result = exchange.result if exchange.result is not None else self.result
            without = ("content-encoding", "content-length")
            headers_out = {name: value for name, value in answer.headers.items() if name not in without}
            headers_out |= {"content-type": kind} if kind else {}
            return httpx2.Response(answer.status, headers=headers_out, content=content, request=request)

    return GuardedTransport()
