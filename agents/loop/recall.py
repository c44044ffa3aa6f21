"""Memory of agents: before an answer what has to do with the question is searched, afterwards the answer is stored.

Numbers and marks are those of the contract's system (FACTS, Agents and conversation).
"""

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from agents.catalog.lookup import AgentSpec
from agents.llm.answer_text import answer_text
from config.values.json_types import JsonObject
from memory.entries import entry_store
from memory.entries.embedding import embedder
from memory.entries.entry_store import NewMemory
from memory.entries.query import MemoryQuery
from memory.entries.search import search_memories
from memory.entries.visibility import Viewer
from memory.entries.words import pieces
from memory.models import MemoryEntry, MemoryType, Owner
from orchestration.program.retry import StepFailed

if TYPE_CHECKING:
    from orchestration.program.context import RunContext
    from orchestration.program.run_info import RunInfo

OF_EACH = {Owner.RUN: 5, Owner.AGENT: 5, Owner.USER: 5, Owner.TENANT: 3}
BEST = 10
THRESHOLD = 0.7
WORTH_KEEPING = 50  # characters; shorter answers are not remembered
MAX_QUESTION_LENGTH = 2_000


def viewer_of(run: "RunInfo", agent_id: str = "") -> Viewer:
    """The run, and its agent, as readers of memories."""
    return Viewer(run.tenant_id, run.created_by, run.app_id, agent_id, run.id, run.on_behalf_of)


async def recall(ctx: "RunContext", agent: AgentSpec, message: str, prefix: str) -> list[JsonObject]:
    """The memories of run, agent, user and tenant that have to do with the message, the best first."""
    tenant_id = ctx.run.tenant_id
    if not await ctx.shared((tenant_id, "has memories"), partial(_has_memories, tenant_id)):
        return []

    async def search() -> list[JsonObject]:
        return await _search(ctx, agent, message)

    return await ctx.step(f"{prefix}/recall", search, node_id=agent.id, type="memory", silent=True)


def _has_memories(tenant_id: str) -> bool:
    return MemoryEntry.objects.for_tenant(tenant_id).exists()


async def _search(ctx: "RunContext", agent: AgentSpec, message: str) -> list[JsonObject]:
    run, text, model = ctx.run, message[:MAX_QUESTION_LENGTH], embedder()
    (vector,) = await model.embed([text])
    owners = [(Owner.RUN, str(run.id)), (Owner.AGENT, agent.id), (Owner.TENANT, run.tenant_id)]
    owners += [(Owner.USER, run.on_behalf_of or str(run.created_by))] if run.created_by else []
    question = MemoryQuery(text, vector, model.model, owners=tuple(owners), limit=40, threshold=THRESHOLD, public=False)
    rows = await ctx.database(partial(search_memories, viewer_of(run, agent.id), question))
    counts: Counter[str] = Counter()
    best: list[JsonObject] = []
    for memory in rows:
        counts[memory["owner_type"]] += 1
        if counts[memory["owner_type"]] <= OF_EACH[Owner(memory["owner_type"])] and len(best) < BEST:
            best.append({name: memory[name] for name in ("memory_id", "content", "similarity")})
    return best


async def remember(ctx: "RunContext", agent: AgentSpec, answer: str, prefix: str) -> None:
    """Store an answer of some length as the run's own memory; a failure has an error event and fails nothing."""
    answer = answer_text(answer)
    if not agent.remembers or len(answer) <= WORTH_KEEPING:
        return
    name = f"{prefix}/remember"

    async def keep() -> str:
        run, model = ctx.run, embedder()
        new = NewMemory(
            content=answer,
            type=MemoryType.LONG_TERM,
            owner_type=Owner.RUN,
            owner_id=str(run.id),
            model=model.model,
            vectors=await model.embed(pieces(answer)),
            metadata={"agent_id": agent.id, "kind": run.kind},
            effect_key=f"{run.id}:{name}",
            agent_id=agent.id,
        )
        return str((await ctx.database(partial(entry_store.store, run.tenant_id, run.created_by, new))).pk)

    try:
        await ctx.step(name, keep, node_id=agent.id, type="memory", silent=True)
    except StepFailed as failed:
        ctx.emit("error", {"error": failed.error, "error_type": failed.error_type}, name)
