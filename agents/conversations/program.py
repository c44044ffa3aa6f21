"""The program "conversation": one turn, the agent loop over the earlier messages. Starting a turn is here too."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.db import transaction

from agents.llm.messages import Message, assistant, user
from agents.loop.agent_loop import AgentRequest, load_agent, run_agent
from agents.models import Conversation, ConversationTurn
from config.errors import Conflict
from config.values.json_types import JsonObject
from orchestration.models import FINAL, Run, Status
from orchestration.program.registry import program
from orchestration.runs.commands import start_run

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

KIND = "conversation"
STEP = "conversation"  # the turn's one step; the model's and the tools' are named after it
MAX_TURNS = 50  # the latest of a conversation, which the model gets
MAX_TITLE_LENGTH = 120


@program(KIND, private=True, subject="agent")
async def converse(ctx: "RunContext") -> JsonObject:
    """{text, toolCalls, finishReason}."""
    run = ctx.run
    agent = await load_agent(ctx, run.subject_id)
    history = await ctx.shared((run.tenant_id, "history", run.id), partial(history_before, run.tenant_id, run.id))

    async def turn() -> JsonObject:
        request = AgentRequest(run.input["message"], tuple(history), stream=True)
        answer = await run_agent(ctx, agent, request, prefix=STEP)
        return {"text": answer.text, "toolCalls": answer.tool_calls, "finishReason": answer.finish_reason}

    input = {"message": run.input["message"]}
    return await ctx.step(STEP, turn, node_id=agent.id, type="conversation", input=input)


def history_before(tenant_id: str, run_id: UUID) -> list[Message]:
    """The messages of the conversation's earlier turns that came to an answer, the oldest first.

    A question that a provider answered with nothing (it may have filtered it) is not sent again with each later one.
    """
    turn = ConversationTurn.objects.for_tenant(tenant_id).filter(run_id=run_id).first()
    if turn is None:
        return []
    earlier = ConversationTurn.objects.for_tenant(tenant_id).filter(
        conversation_id=turn.conversation_id, number__lt=turn.number
    )
    ids = list(earlier.order_by("-number").values_list("run_id", flat=True)[:MAX_TURNS])
    runs = Run.objects.for_tenant(tenant_id).in_bulk(ids)
    messages: list[Message] = []
    for id in reversed(ids):
        run = runs.get(id)
        answer = assistant(run.result["text"]) if run and run.status == Status.COMPLETED and run.result else []
        if run and answer:
            messages += [user(run.input["message"]), *answer]
    return messages


@dataclass(frozen=True)
class NewTurn:
    """A message to an agent: `fields` are start_run's, such as mode, limits and idempotency key."""

    tenant_id: str
    user_id: UUID
    agent_id: str
    message: str
    conversation_id: str | None
    context: JsonObject
    fields: dict[str, Any]


def start_turn(new: NewTurn) -> tuple[Run, str, bool]:
    """(run, conversation's id, whether it is new); Conflict while an earlier turn of the conversation is under way.

    Raises PolicyDenied when a policy forbids the turn.
    """
    with transaction.atomic():
        conversation = _conversation(new)
        key = new.fields.get("key")
        number = _next_number(conversation) if not _is_repeated(new, key) else 0
        run, created = start_run(
            tenant_id=new.tenant_id,
            kind=KIND,
            subject_id=new.agent_id,
            input={"message": new.message, "conversation_id": conversation.key},
            trigger={"context": new.context, "event": {}},
            **(new.fields | {"created_by": new.user_id}),
        )
        if created:
            ConversationTurn.all_tenants.create(
                tenant_id=new.tenant_id, conversation=conversation, number=number, run_id=run.id
            )
            conversation.agent_key = new.agent_id
            conversation.save(update_fields=["agent_key", "updated_at"])
        else:
            transaction.set_rollback(True)  # a conversation that was made for nothing
    return run, run.input["conversation_id"], created


def _is_repeated(new: NewTurn, key: str | None) -> bool:
    """Whether this idempotency key has started a turn before."""
    rows = Run.objects.for_tenant(new.tenant_id)
    return key is not None and rows.filter(kind=KIND, idempotency_key=key).exists()


def _conversation(new: NewTurn) -> Conversation:
    """The conversation, made when there is none of this id, and locked: its turns are started one after the other."""
    rows = Conversation.objects.for_tenant(new.tenant_id)
    defaults = {"agent_key": new.agent_id, "title": " ".join(new.message.split())[:MAX_TITLE_LENGTH]}
    key = new.conversation_id or str(uuid4())
    conversation, _ = rows.get_or_create(tenant_id=new.tenant_id, user_id=new.user_id, key=key, defaults=defaults)
    return rows.select_for_update().get(pk=conversation.pk)


def _next_number(conversation: Conversation) -> int:
    last = ConversationTurn.objects.for_tenant(conversation.tenant_id).filter(conversation=conversation)
    turn = last.order_by("-number").first()
    if turn is None:
        return 1
    run = Run.objects.for_tenant(conversation.tenant_id).filter(pk=turn.run_id).first()
    if run is not None and run.status not in FINAL:
        raise Conflict(
            "The conversation's last turn is still under way: wait for it, or end it with POST "
            f"/api/v1/runs/{run.id}/cancel.",
            run_id=str(run.id),
            conversation_id=conversation.key,
        )
    return turn.number + 1
