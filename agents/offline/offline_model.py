"""The built-in offline model: deterministic rules that answer when no model is set up, and say so.

It triages tickets, picks routes and conditions by the words they share with the input, calls tools that are named.
"""

import asyncio
import contextlib
import json
import re
import time
from typing import Any

from django.conf import settings

from agents.excerpts import summary
from agents.llm.chat_model import ModelReply, ModelRequest
from agents.llm.function_calls import FunctionCall
from agents.offline import code_task_calls as coder
from agents.offline import job_answers as jobs
from agents.offline import plain_requests, triage

HONEST = (
    "This is Regente's built-in offline model. It follows fixed rules and understands little: it triages tickets, "
    "remembers and recalls, reads and writes files, counts and lists rows of tables, and calls tools that a message "
    "names. Set LLM_BASE_URL or a provider's key to use a language model."
)
SIGNED = "(offline model)"
COORDINATES = "You coordinate a team. Choose who works next"
BEGUN = re.compile(r"^(\S+)(?: failed)?:", re.MULTILINE)  # an agent that has had its turn
LAST_TURN = "This is your last turn: give the answer now."
CODER = "agent.coder"
MAX_SPEECH_S = 3.0  # what one answer takes at most, however long it is
PIECE = re.compile(r"\S+\s*|\s+")  # a word at a time, as language models speak
REMEMBERED = "What you remember"
TABLE = re.compile(r"^(\w+)\((.*)\)$", re.MULTILINE)
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

    async def max_answer_tokens(self, request: ModelRequest) -> int:
        """As long as it likes: it costs nothing."""
        return 1_000_000

    async def window(self) -> int:
        """Enough for anybody."""
        return 1_000_000

    async def complete(self, request: ModelRequest) -> ModelReply:
        """What the rules say."""
        began = time.perf_counter()
        call = _coders_call(request) if request.agent_id == CODER else _wanted_call(request)
        text = "" if call else _answer(request)
        await _speak(request, text)
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


async def _speak(request: ModelRequest, text: str) -> None:
    """Word by word to whom it may concern, at the pace of a language model, so that there is something to watch."""
    pieces, rate = PIECE.findall(text), settings.OFFLINE_WORDS_PER_S
    pause = min(1 / rate, MAX_SPEECH_S / max(len(pieces), 1)) if rate else 0.0
    for piece in pieces:
        await asyncio.sleep(pause)
        if request.on_text:
            request.on_text(piece)


def _answer(request: ModelRequest) -> str:
    """The text for a request that needs no tool."""
    asked, instructions = _last(request, "user"), _instructions(request)
    if request.agent_id == "agent.condition_evaluator":
        return best_condition(asked)
    if request.agent_id == "agent.router":
        return best_route(asked)
    if request.agent_id == CODER:
        objective, context = coder.parts(asked)
        return coder.answer(objective, coder.next_call(objective, context), _last(request, "tool"))
    if request.agent_id in jobs.ANSWERS:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # a conversation with it, not a job
            return jobs.ANSWERS[request.agent_id](asked)
    if COORDINATES in asked:
        return coordinated(asked)
    if triage.is_wanted(f"{instructions}\n{asked}"):
        tickets = _tickets(request)
        if tickets is not None:
            return json.dumps(triage.triaged(tickets), ensure_ascii=False)
    if request.agent_id == "natural_language_db":
        tables = {name: columns.split(", ") for name, columns in TABLE.findall(instructions)}
        return plain_requests.sql_for(asked, tables) or HONEST
    if answer := _last(request, "tool"):
        return _retold(request, answer)
    return _recalled(request) or HONEST


def _retold(request: ModelRequest, answer: str) -> str:
    """A tool's answer in words."""
    called = next(message for message in reversed(request.messages) if message.get("tool_calls"))
    name = called["tool_calls"][-1]["function"]["name"]
    tool = next((tool for tool in plain_requests.REQUESTS if _plain(tool.tool) == _plain(name)), None)
    try:
        words = plain_requests.told(tool.tool, json.loads(answer)) if tool else ""
    except (ValueError, KeyError, TypeError):
        words = ""
    return f"{words}\n{SIGNED}" if words else f"The offline model called the tool: {summary(answer, 2_000)}"


def _recalled(request: ModelRequest) -> str:
    """What the agent was given of its memory, when it was given any."""
    given = [str(m["content"]) for m in request.messages if m["role"] == "system"]
    lines = [text.partition("\n")[2] for text in given if text.startswith(REMEMBERED)]
    return f"From memory:\n{lines[0]}\n{SIGNED}" if lines else ""


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.lower())


def _instructions(request: ModelRequest) -> str:
    """The system's texts without what the agent remembers."""
    texts = [str(message["content"]) for message in request.messages if message["role"] == "system"]
    return "\n".join(text for text in texts if not text.startswith(REMEMBERED))


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


def coordinated(asked: str) -> str:
    """A coordinator's choice: each agent of the team has its turn on the task, then their results are the answer."""
    agents, _, rest = asked.partition("The agents:\n")[2].partition("\n\nThe task:\n")
    task, _, rest = rest.partition("\n\nResults so far:\n")
    results = rest.rpartition("\n\n")[0]
    begun = set(BEGUN.findall(results))
    waiting = [id for id in agents.replace("- ", "").splitlines() if id not in begun]
    if waiting and LAST_TURN not in asked:
        return json.dumps({"next": waiting[0], "message": task.strip()}, ensure_ascii=False)
    return json.dumps({"next": None, "message": f"{results}\n{SIGNED}"}, ensure_ascii=False)


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
    offered = {_plain(tool["function"]["name"]): tool["function"]["name"] for tool in request.tools}
    for tool_id, arguments in plain_requests.meant(asked):
        if _plain(tool_id) in offered and not triage.is_wanted(asked):
            return FunctionCall("call_offline", offered[_plain(tool_id)], json.dumps(arguments, ensure_ascii=False))
    heard = _plain(asked)
    for tool in request.tools:
        function = tool["function"]
        name = _plain(function["name"])
        for_triage = "ticket" in name and triage.is_wanted(asked + _instructions(request)) and _tickets(request) is None
        if for_triage or f"_{name}_" in f"_{heard}_":
            given = _arguments(function.get("parameters") or {}, asked)
            if given is not None:
                return FunctionCall("call_offline", function["name"], json.dumps(given, ensure_ascii=False))
    return None


def _coders_call(request: ModelRequest) -> FunctionCall | None:
    """The one call of a code task; none once it has been made."""
    if _last(request, "tool"):
        return None
    call = coder.next_call(*coder.parts(_last(request, "user")))
    return FunctionCall("call_offline", call[0], json.dumps(call[1], ensure_ascii=False)) if call else None


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
