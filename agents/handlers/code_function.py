"""Tools that are code of the tenant's: a Python function `run(input)`, in the sandbox and nowhere else."""

from typing import Any

from agents.errors import ToolExecutionError
from agents.excerpts import summary
from agents.handlers.http_call import as_output
from agents.sandbox import sandboxed_command
from agents.sandbox.bubblewrap import python
from agents.sandbox.limits import Limits
from agents.tools.registry import ToolCall
from config.values.foreign_json import decode_json_text, write_json

MAX_CODE_LENGTH = 100_000
# Prints of the tool go to stderr, so that its answer alone is on stdout. What JSON lacks is written as near as may be.
RUNNER = """
import datetime, decimal, json, sys, uuid
def plain(value):
    if isinstance(value, (set, frozenset)):
        return list(value)
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    raise TypeError("run() answered a value of the type " + type(value).__name__ + ", which JSON does not have")
answer, sys.stdout = sys.stdout, sys.stderr
given = json.load(sys.stdin)
space = {"__name__": "tool"}
exec(compile(given["code"], "tool.py", "exec"), space)
answer.write(json.dumps(space["run"](given["input"]), default=plain))
"""


async def run_code(call: ToolCall) -> Any:
    """What the function answers; its exceptions, limits and odd answers are the tool's errors."""
    if reason := sandboxed_command.unavailable_reason():
        raise ToolExecutionError(f"Tools that are code cannot run on this machine: {reason}.")
    stdin = write_json({"code": call.tool.handler_config["code"], "input": call.input})
    result = await sandboxed_command.run([python(), "-I", "-S", "-c", RUNNER], stdin)
    if result.returncode is None:
        raise ToolExecutionError(f"The code took longer than {Limits().wall_s:g} s.")
    if result.returncode != 0:
        raise ToolExecutionError(f"The code failed: {summary(_last_line(result.stderr), 500)}")
    try:
        return as_output("" if result.output_truncated else decode_json_text(result.stdout))
    except ValueError:
        raise ToolExecutionError("The code answered nothing that is JSON, or more than 1 MiB of it.") from None


def _last_line(raw: bytes) -> str:
    """What a traceback ends with."""
    lines = [line for line in raw.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without saying why (memory or CPU time may have run out)"
