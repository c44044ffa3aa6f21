"""One model call of a run: paid from its budgets, told as an llm_call event, its answer recorded as a step."""

import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from agents.errors import AgentExecutionError, ModelUnavailable, ReserveUsedUp
from agents.excerpts import excerpt
from agents.llm import model_choice
from agents.llm.chat_model import ModelReply, ModelRequest
from agents.llm.litellm_model import UNKNOWN_PRICE
from agents.llm.messages import sendable
from agents.llm.metrics import model_call
from agents.llm.window import fitted
from governance.budgets.reservations import MICRO_PER_CENT, Bill, BudgetExceeded
from orchestration.program.retry import Retry, StepFailed, describe

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

MODEL_RETRY = Retry(3, 1.0)


async def answer_of(ctx: "RunContext", request: ModelRequest, name: str, *, aloud: bool = False) -> dict[str, Any]:
    """The recorded reply of the request's model; of its fallbacks, in their order, when it fails for good.

    Each model that is asked has a step of its own: {name}, then {name}/fallback-1 and so on. `aloud`: who follows the
    run hears the answer while the model gives it.
    """
    models = [request.profile, *request.profile.fallbacks]
    for number, profile in enumerate(models):
        own = replace(request, profile=profile, timeout_s=profile.timeout_s or request.timeout_s)
        step = name if number == 0 else f"{name}/fallback-{number}"
        told = {"agent_id": request.agent_id, "model": profile.model, "messages": len(request.messages)}
        try:
            reply: dict[str, Any] = await ctx.step(
                step, ask_model, ctx, own, step, aloud, type="model", input=told, retry=MODEL_RETRY, silent=True
            )
            return reply
        except StepFailed as failed:
            if number == len(models) - 1:
                raise
            ctx.emit("error", {"error": failed.error, "error_type": failed.error_type, "fallback": number + 1}, step)
    raise AssertionError("unreachable")


async def ask_model(ctx: "RunContext", request: ModelRequest, step: str, aloud: bool = False) -> dict[str, Any]:
    """The model's reply as JSON."""
    model = await model_choice.model_for(ctx, request.profile)
    request = replace(request, messages=sendable(fitted(request, await model.window())))
    if aloud:
        request = replace(request, on_text=ctx.speaker(step))
    estimate = await model.estimate(request)
    await ctx.pace()
    began = time.perf_counter()
    async with ctx.spend(calls=1, cost_micro=estimate, agent_id=request.agent_id) as bill:
        most = await model.longest(request)
        if bill.hold_id:
            request = capped(request, most)
        try:
            with model_call(model.provider):
                reply = await model.complete(request)
        except ReserveUsedUp:
            bill.charge(estimate)
            text = f"BUDGET_EXCEEDED: the answer grew longer than the {most} tokens that were reserved; it was cut off."
            ctx.emit("budget_exceeded", {"type": "cost_exceeded", "message": text}, step)
            raise BudgetExceeded(text, type="cost_exceeded") from None
        except (ModelUnavailable, AgentExecutionError) as fault:
            error, error_type = describe(fault)
            took = round((time.perf_counter() - began) * 1000)
            told = {"agent_id": request.agent_id, "model": model.model, "provider": model.provider, "latency_ms": took}
            ctx.emit("llm_call", told | {"error": excerpt(error), "error_type": error_type}, step)
            raise
        bill.charge(_charge(bill, reply), reply.prompt_tokens, reply.completion_tokens)
    ctx.emit("llm_call", _llm_call(request.agent_id, reply), step)
    return asdict(reply)


def capped(request: ModelRequest, most: int) -> ModelRequest:
    """The request with an answer of at most so many tokens: the provider is told, and a stream is cut."""
    pieces = length = 0
    listener = request.on_text

    def heard(text: str) -> None:
        nonlocal pieces, length
        pieces, length = pieces + 1, length + len(text)
        if max(pieces, length // 4) > most:  # a piece has a token at least, a token four characters or so
            raise ReserveUsedUp
        if listener:
            listener(text)

    profile = replace(request.profile, max_tokens=most)
    return replace(request, profile=profile, on_text=heard if listener else None)


def _charge(bill: Bill, reply: ModelReply) -> int:
    """What the run is charged; for a model without a known price a dear one when limits apply, else nothing."""
    if reply.cost_micro is not None:
        return reply.cost_micro
    return UNKNOWN_PRICE.cost(reply.prompt_tokens, reply.completion_tokens) if bill.hold_id else 0


def _llm_call(agent_id: str, reply: ModelReply) -> dict[str, Any]:
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
