"""What the sandbox adds to a command of a code task."""

import asyncio
import time
from uuid import uuid4

from agents.sandbox import sandboxed_command
from agents.workspaces import shell_commands
from agents.workspaces.workspace import Workspace
from tests.bench.figures import Row, at_most, percentile
from tests.bench.setting import Bench

COMMANDS = 40


def measure(bench: Bench) -> list[Row]:
    """The time of `true` in the sandbox less that of `true` without it; no row where no sandbox can be made."""
    if sandboxed_command.unavailable_reason():
        return []
    space = Workspace(uuid4())
    space.create()
    try:
        inside = [asyncio.run(_inside(space)) for _ in range(bench.trials)]
        bare = [asyncio.run(_bare()) for _ in range(bench.trials)]
    finally:
        space.remove()
    added = [one - other for one, other in zip(inside, bare, strict=True)]
    what = "what the sandbox adds to a command, p50"
    return [Row("sandbox", what, "ms", added, (at_most(30),), "the bare command", bare)]


async def _inside(space: Workspace) -> float:
    taken = []
    for _ in range(COMMANDS):
        began = time.perf_counter()
        ended = await shell_commands.shell(space, "true", 10)
        assert ended.returncode == 0
        taken.append((time.perf_counter() - began) * 1000)
    return percentile(taken, 0.5)


async def _bare() -> float:
    taken = []
    for _ in range(COMMANDS):
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *shell_commands.SHELL, "true", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        await process.communicate(b"")
        taken.append((time.perf_counter() - began) * 1000)
    return percentile(taken, 0.5)
