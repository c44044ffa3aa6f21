"""One model call of a run: paid from its budgets, with an llm_call event, its answer recorded as a step."""

import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from agents.errors import AgentExecutionError, ModelUnavailable, ReserveUsedUp
from agents.excerpts import excerpt
from agents.llm import model_choice
from agents.llm.chat_model import ChatModel, ModelReply, ModelRequest
from agents.llm.messages import sendable
from agents.llm.metrics import model_call
from agents.llm.providers.priced_model import UNKNOWN_PRICE
from agents.llm.window import fit_messages
from config.values.json_types import JsonObject
from governance.budgets.reservations import MICRO_PER_CENT, Bill, BudgetExceeded
from orchestration.program.retry import Retry, StepFailed, describe

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

MODEL_RETRY = Retry(3, 1.0)
OVER_RESERVE = (
    "BUDGET_EXCEEDED: the answer grew longer than the {max_tokens} tokens that were reserved; it was cut off."
)


async def answer_of(ctx: "RunContext", request: ModelRequest, name: str, *, stream: bool = False) -> ModelReply:
    """The recorded reply of the request's model; of its fallbacks, in their order, when it fails for good.

    Each model that is called has a step of its own: {name}, then {name}/fallback-1 and so on. `stream`: who follows
    the run gets the answer's text while the model writes it.
    """
    models = [request.profile, *request.profile.fallbacks]
    for number, profile in enumerate(models):
        own = replace(request, profile=profile, timeout_s=profile.timeout_s or request.timeout_s)
        step = name if number == 0 else f"{name}/fallback-{number}"
        input = {"agent_id": request.agent_id, "model": profile.model, "messages": len(request.messages)}
        options: dict[str, Any] = {"type": "model", "input": input, "retry": MODEL_RETRY, "silent": True}
        try:
            return ModelReply.of(await ctx.step(step, call_model, ctx, own, step, stream, **options))
        except StepFailed as failed:
            if number == len(models) - 1:
                raise
            ctx.emit("error", {"error": failed.error, "error_type": failed.error_type, "fallback": number + 1}, step)
    raise AssertionError("unreachable")


async def call_model(ctx: "RunContext", request: ModelRequest, step: str, stream: bool = False) -> JsonObject:
    """The model's reply as JSON."""
    model = await model_choice.model_for(ctx, request.profile)
    request = replace(request, messages=sendable(fit_messages(request, await model.window())))
    if stream:
        request = replace(request, on_text=ctx.text_writer(step))
    estimate = await model.estimate(request)
    await ctx.pace()
    start = time.perf_counter()
    async with ctx.spend(calls=1, cost_micro=estimate, agent_id=request.agent_id) as bill:
        max_tokens = await model.max_answer_tokens(request)
        if bill.hold_id:
            request = with_token_limit(request, max_tokens)
        try:
            with model_call(model.provider):
                reply = await model.complete(request)
        except ReserveUsedUp:
            bill.charge(estimate)
            text = OVER_RESERVE.format(max_tokens=max_tokens)
            ctx.emit("budget_exceeded", {"type": "cost_exceeded", "message": text}, step)
            raise BudgetExceeded(text, type="cost_exceeded") from None
        except (ModelUnavailable, AgentExecutionError) as fault:
            ctx.emit("llm_call", _failed_call(request.agent_id, model, start, fault), step)
            raise
        bill.charge(_charge(bill, reply), reply.prompt_tokens, reply.completion_tokens)
    ctx.emit("llm_call", _llm_call(request.agent_id, reply), step)
    return asdict(reply)


def with_token_limit(request: ModelRequest, max_tokens: int) -> ModelRequest:
    """The request with an answer of at most so many tokens: the provider gets the limit, and a stream is cut at it."""
    pieces = length = 0
    listener = request.on_text

    def on_text(text: str) -> None:
        nonlocal pieces, length
        pieces, length = pieces + 1, length + len(text)
        if max(pieces, length // 4) > max_tokens:  # a piece has a token at least, a token four characters or so
            raise ReserveUsedUp
        if listener:
            listener(text)

    profile = replace(request.profile, max_tokens=max_tokens)
    return replace(request, profile=profile, on_text=on_text if listener else None)


def _charge(bill: Bill, reply: ModelReply) -> int:
    """The run's charge in micro-USD; without a known price a high one when limits apply, else 0."""
    if reply.cost_micro is not None:
        return reply.cost_micro
    return UNKNOWN_PRICE.cost(reply.prompt_tokens, reply.completion_tokens) if bill.hold_id else 0


def _failed_call(agent_id: str, model: ChatModel, start: float, fault: Exception) -> JsonObject:
    error, error_type = describe(fault)
    latency_ms = round((time.perf_counter() - start) * 1000)
    payload = {"agent_id": agent_id, "model": model.model, "provider": model.provider, "latency_ms": latency_ms}
    return payload | {"error": excerpt(error), "error_type": error_type}


def _llm_call(agent_id: str, reply: ModelReply) -> JsonObject:
    return {
        "agent_id": agent_id,
        "model": reply.model,
        "provider": reply.provider,
        "finishReason": reply.finish_reason,
        "usage": {"promptTokens": reply.prompt_tokens, "completionTokens": reply.completion_tokens},
        "estimated_cost_cents": None if reply.cost_micro is None else round(reply.cost_micro / MICRO_PER_CENT, 4),
        "priced": reply.priced,
        "usage_estimated": reply.estimated,
        "latency_ms": reply.latency_ms,
    }
