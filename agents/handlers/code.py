"""Tools that are code of the tenant's: a Python function `run(input)`, in the sandbox and nowhere else."""

from typing import Any

import orjson

from agents import sandbox
from agents.errors import ToolExecutionError
from agents.excerpts import summary
from agents.tools.registry import ToolCall

CODE_MOST = 100_000
# Prints of the tool go to stderr, so that its answer alone is on stdout.
RUNNER = """
import json, sys
answer, sys.stdout = sys.stdout, sys.stderr
given = json.load(sys.stdin)
space = {"__name__": "tool"}
exec(compile(given["code"], "tool.py", "exec"), space)
json.dump({"output": space["run"](given["input"])}, answer)
"""


async def run_code(call: ToolCall) -> Any:
    """What the function answers; its exceptions, limits and odd answers are the tool's errors."""
    if why := sandbox.unavailable():
        raise ToolExecutionError(f"Tools that are code cannot run on this machine: {why}.")
    given = orjson.dumps({"code": call.tool.handler_config["code"], "input": call.input})
    ended = await sandbox.run([sandbox.python(), "-I", "-S", "-c", RUNNER], given)
    if ended.returncode is None:
        raise ToolExecutionError(f"The code took longer than {sandbox.Limits().wall_s:g} s.")
    if ended.returncode != 0:
        raise ToolExecutionError(f"The code failed: {summary(_last_line(ended.stderr), 500)}")
    try:
        output = orjson.loads(ended.stdout)["output"]
    except (ValueError, KeyError):
        raise ToolExecutionError("The code answered nothing that is JSON, or more than 1 MiB of it.") from None
    return output if isinstance(output, dict | list) else {"value": output}


def _last_line(raw: bytes) -> str:
    """What a traceback ends with."""
    lines = [line for line in raw.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without saying why (memory or CPU time may have run out)"
