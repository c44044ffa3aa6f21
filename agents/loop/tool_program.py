"""The program "tool": one tool, called outside of any workflow (POST /tools/{id}/execute).

It is a run like any other, so that its call is recorded and limited, and has events; and so that a worker does what
needs a model, never a web process.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from agents.loop.tool_calls import call_tool
from agents.tools.lookup import find_tool
from agents.tools.registry import ToolCall
from orchestration.program.registry import program

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

KIND = "tool"
CALL = "call"  # the name of its one step


@program(KIND)
async def run_one_tool(ctx: "RunContext") -> Any:
    """The tool's output."""
    run = ctx.run
    tool = await ctx.shared((run.tenant_id, "tool", run.subject_id), partial(find_tool, run.tenant_id, run.subject_id))
    call = ToolCall(ctx, tool, run.input, CALL, run.mode, run)
    return await ctx.step(CALL, call_tool, call, node_id=tool.id, type="tool", input=run.input)
