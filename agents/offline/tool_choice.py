"""Which of the tools of a request the offline model calls, and with which arguments."""

import json

from agents.llm.chat_model import ModelRequest
from agents.llm.function_calls import FunctionCall
from agents.offline import triage
from agents.offline.code_task_calls import next_call, split_message
from agents.offline.plain_requests import matching_calls
from agents.offline.requests import instructions, json_values, last_text, tickets
from agents.offline.texts import identifier
from config.values.json_types import JsonObject

CALL_ID = "call_offline"


def code_task_call(request: ModelRequest) -> FunctionCall | None:
    """The one call of a code task; None once it has been made."""
    if last_text(request, "tool"):
        return None
    call = next_call(*split_message(last_text(request, "user")))
    return _function_call(*call) if call else None


def requested_call(request: ModelRequest) -> FunctionCall | None:
    """The call that the user's message asks for, by a plain request or by the tool's name, or that gets the tickets to
    triage; None when there is none, or when the request brings a tool's answer.
    """
    text = last_text(request, "user")
    if not request.tools or last_text(request, "tool"):
        return None
    if not triage.is_requested(text):
        names = {identifier(tool["function"]["name"]): tool["function"]["name"] for tool in request.tools}
        for tool_id, arguments in matching_calls(text):
            if name := names.get(identifier(tool_id)):
                return _function_call(name, arguments)
    for tool in request.tools:
        function = tool["function"]
        if _is_requested(function["name"], request, text):
            arguments_or_none = _arguments(function.get("parameters") or {}, text)
            if arguments_or_none is not None:
                return _function_call(function["name"], arguments_or_none)
    return None


def _is_requested(name: str, request: ModelRequest, text: str) -> bool:
    """Whether the text names the tool, or it lists tickets and a triage is asked for without any."""
    plain_name = identifier(name)
    if f"_{plain_name}_" in f"_{identifier(text)}_":
        return True
    return "ticket" in plain_name and triage.is_requested(text + instructions(request)) and tickets(request) is None


def _arguments(schema: JsonObject, text: str) -> JsonObject | None:
    """The JSON object in the text, else the text for the only required string, else {}; None when more is required."""
    for value in json_values(text):
        if isinstance(value, dict):
            return value
    required = schema.get("required") or []
    if not required:
        return {}
    kind = (schema.get("properties") or {}).get(required[0], {}).get("type", "string")
    return {required[0]: text} if len(required) == 1 and kind == "string" else None


def _function_call(name: str, arguments: JsonObject) -> FunctionCall:
    return FunctionCall(CALL_ID, name, json.dumps(arguments, ensure_ascii=False))
