"""The built-in offline model: deterministic rules that answer when no model is set up, and say so.

It triages tickets, picks routes and conditions by the words they share with the input, calls tools that are named.
"""

import json
import re
import time
from typing import Any

from agents import triage
from agents.chat import FunctionCall, ModelReply, ModelRequest
from agents.excerpts import summary

HONEST = (
    "This is Regente's built-in offline model. It follows fixed rules and understands little: it triages tickets, "
    "picks routes and calls tools that a message names. Set LLM_BASE_URL or a provider's key to use a language model."
)
ROUTE = re.compile(r"[-*] (\S+?)(?::\s+(.*))?")
NUMBERED = re.compile(r"(\d+)\. (.+)")
WORD = re.compile(r"[^\W_]{2,}")
DULL = frozenset(
    WORD.findall(
        "the and or of to in is are it for with that this from output what has be routed um uma de do da que para"
    )
)


class OfflineModel:
    """Answers by rules; words are counted as tokens, and it costs nothing."""

    provider = "offline"
    model = "offline"

    async def estimate(self, request: ModelRequest) -> int:
        """Nothing."""
        return 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        """What the rules say."""
        began = time.perf_counter()
        call = _wanted_call(request)
        text = "" if call else _answer(request)
        return ModelReply(
            text=text,
            tool_calls=[call] if call else [],
            finish_reason="tool_calls" if call else "stop",
            prompt_tokens=sum(len(str(message.get("content") or "").split()) for message in request.messages),
            completion_tokens=len((call.arguments if call else text).split()),
            cost_micro=0,
            priced=True,
            model=self.model,
            provider=self.provider,
            latency_ms=round((time.perf_counter() - began) * 1000),
        )


def _answer(request: ModelRequest) -> str:
    """The text for a request that needs no tool."""
    asked, instructions = _last(request, "user"), _last(request, "system")
    if request.agent_id == "agent.condition_evaluator":
        return best_condition(asked)
    if request.agent_id == "agent.router":
        return best_route(asked)
    if triage.is_wanted(f"{instructions}\n{asked}"):
        tickets = _tickets(request)
        if tickets is not None:
            return json.dumps(triage.triaged(tickets), ensure_ascii=False)
    told = _last(request, "tool")
    return f"The offline model called the tool; it answered: {summary(told, 2_000)}" if told else HONEST


def _last(request: ModelRequest, role: str) -> str:
    """The text of the last message of this role; of the tools only what came after the last user message."""
    for message in reversed(request.messages):
        if message["role"] == role:
            return str(message.get("content") or "")
        if role == "tool" and message["role"] == "user":
            return ""
    return ""


def best_route(text: str) -> str:
    """The id of the listed route that shares most words with the rest of the text; the first one when none does."""
    routes, rest = _listed(ROUTE, text)
    scores = [len(words(f"{id} {told}") & rest) for id, told in routes]
    return routes[scores.index(max(scores))][0] if routes else ""


def best_condition(text: str) -> str:
    """The number of the listed condition that shares most words with the rest of the text, "0" when none shares any."""
    conditions, rest = _listed(NUMBERED, text)
    scores = [len(words(told) & rest) for _, told in conditions]
    return conditions[scores.index(max(scores))][0] if any(scores) else "0"


def _listed(item: re.Pattern[str], text: str) -> tuple[list[tuple[str, str]], set[str]]:
    """The items of the text's first list of this form, and the words of what follows it."""
    lines, found = text.splitlines(), []
    for at, line in enumerate(lines):
        match = item.fullmatch(line.strip())
        if match:
            found.append((match[1], match[2] or ""))
        elif found:
            return found, words("\n".join(lines[at:]))
    return found, set()


def words(text: str) -> set[str]:
    """The telling words of a text, without accents and case."""
    return {word for word in WORD.findall(triage.plain(text)) if word not in DULL}


def _wanted_call(request: ModelRequest) -> FunctionCall | None:
    """The call of an offered tool that the user's message names, or that gets the tickets to triage."""
    asked = _last(request, "user")
    if not request.tools or _last(request, "tool"):
        return None
    heard = re.sub(r"[\W_]+", "_", asked.lower())
    for tool in request.tools:
        function = tool["function"]
        name = re.sub(r"[\W_]+", "_", function["name"].lower())
        for_triage = (
            "ticket" in name and triage.is_wanted(asked + _last(request, "system")) and _tickets(request) is None
        )
        if for_triage or f"_{name}_" in f"_{heard}_":
            arguments = _arguments(function.get("parameters") or {}, asked)
            if arguments is not None:
                return FunctionCall("call_offline", function["name"], json.dumps(arguments, ensure_ascii=False))
    return None


def _arguments(schema: dict[str, Any], asked: str) -> dict[str, Any] | None:
    """The JSON object in the message, else the message for the only required text, else {}; None: cannot tell."""
    for value in triage.json_in(asked):
        if isinstance(value, dict):
            return value
    required = schema.get("required") or []
    if not required:
        return {}
    kind = (schema.get("properties") or {}).get(required[0], {}).get("type", "string")
    return {required[0]: asked} if len(required) == 1 and kind == "string" else None


def _tickets(request: ModelRequest) -> list[dict[str, Any]] | None:
    """The tickets in the messages, the latest first found; None when there are none."""
    for message in reversed(request.messages):
        if message["role"] in ("user", "tool"):
            for value in triage.json_in(str(message.get("content") or "")):
                found = triage.tickets_in(value)
                if found is not None:
                    return found
    return None
