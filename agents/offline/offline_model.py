"""The built-in offline model: deterministic rules that answer when no model is set up, and say so.

It triages tickets, picks routes and conditions by the words that they share with the input, calls tools that a message
names, and does plain requests in English and Portuguese.
"""

import asyncio
import contextlib
import json
import re
import time

from django.conf import settings

from agents.llm.chat_model import ModelReply, ModelRequest
from agents.llm.model_choice import fallback_model
from agents.offline import choices, code_task_answers, job_answers, sql, tool_answers, triage
from agents.offline.code_task_calls import next_call, split_message
from agents.offline.requests import instructions, last_text, memories, tickets
from agents.offline.texts import SELF_DESCRIPTION, SIGNATURE
from agents.offline.tool_choice import code_task_call, requested_call

CODER = "agent.coder"
MAX_STREAM_S = 3.0  # that streaming one answer takes, however long it is: enough to be watched
PIECE = re.compile(r"\S+\s*|\s+")  # a word at a time, as language models stream
NO_LIMIT = 1_000_000  # tokens
CHOICES = {"agent.condition_evaluator": choices.best_condition, "agent.router": choices.best_route}


@fallback_model
class OfflineModel:
    """Answers by rules; words are counted as tokens, and it costs nothing."""

    provider = "offline"
    model = "offline"

    async def estimate(self, request: ModelRequest) -> int:
        """No cost."""
        return 0

    async def max_answer_tokens(self, request: ModelRequest) -> int:
        """No limit: the answer costs nothing."""
        return NO_LIMIT

    async def window(self) -> int:
        """No limit."""
        return NO_LIMIT

    async def complete(self, request: ModelRequest) -> ModelReply:
        """A tool call or a text, as the rules have it; the text is also streamed to `request.on_text`."""
        began = time.perf_counter()
        call = code_task_call(request) if request.agent_id == CODER else requested_call(request)
        text = "" if call else _answer(request)
        await _stream(request, text)
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


async def _stream(request: ModelRequest, text: str) -> None:
    """Pass the text on word by word, at the pace of a language model, so that a client has a stream to show."""
    pieces, rate = PIECE.findall(text), settings.OFFLINE_WORDS_PER_S
    pause = min(1 / rate, MAX_STREAM_S / max(len(pieces), 1)) if rate else 0.0
    for piece in pieces:
        await asyncio.sleep(pause)
        if request.on_text:
            request.on_text(piece)


def _answer(request: ModelRequest) -> str:
    """The text of an answer that calls no tool."""
    text = last_text(request, "user")
    if choose := CHOICES.get(request.agent_id):
        return choose(text)
    if request.agent_id == CODER:
        objective, context = split_message(text)
        return code_task_answers.answer(objective, next_call(objective, context), last_text(request, "tool"))
    if request.agent_id in job_answers.ANSWERS:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # a conversation with it, not a job
            return job_answers.ANSWERS[request.agent_id](text)
    if choices.COORDINATOR_PROMPT in text:
        return choices.next_agent(text)
    if triage.is_requested(f"{instructions(request)}\n{text}") and (rows := tickets(request)) is not None:
        return json.dumps(triage.triage(rows), ensure_ascii=False)
    if request.agent_id == "natural_language_db":
        return sql.select_statement(text, sql.tables_of(instructions(request))) or SELF_DESCRIPTION
    if output := last_text(request, "tool"):
        return tool_answers.describe(request, output)
    lines = memories(request)
    return f"From memory:\n{lines}\n{SIGNATURE}" if lines else SELF_DESCRIPTION
