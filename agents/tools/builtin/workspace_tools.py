"""The tools of code tasks: files of the task's workspace, and commands in its sandbox (seed 003, RULINGS §10)."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any, Unpack

from agents.errors import WorkspaceError
from agents.tools.canonical import canonical
from agents.tools.registry import ToolCall, ToolOptions, tool
from agents.workspaces import patches, shell_commands
from agents.workspaces.paths import file_path, folder_path
from agents.workspaces.workspace import Workspace
from config.errors import DomainError
from config.values.json_types import JsonObject

KIND = "task"
MAX_READ_BYTES = 50_000  # characters of a file at a time
MAX_FILE = 1024 * 1024  # bytes of a file that are looked at
MAX_LIST = 1_000
MAX_MATCHES = 200
MAX_LINE_LENGTH = 300
TIMED_OUT = 124  # as timeout(1) has it
PATH = {"type": "string", "minLength": 1, "maxLength": 1024, "description": "A path in the workspace: src/main.py"}

Work = Callable[[ToolCall, Workspace], Awaitable[Any]]


def code_tool(
    id: str, name: str, description: str, properties: JsonObject, *required: str, **options: Unpack[ToolOptions]
) -> Any:
    """Register a tool that works in the workspace of the task that calls it, and nowhere else."""

    def register(function: Work) -> Any:
        @wraps(function)
        async def handler(call: ToolCall) -> Any:
            if call.run.kind != KIND:
                raise WorkspaceError(f"{id} works in the workspace of a code task only; start one with POST /tasks.")
            space = Workspace(call.run.id)
            space.check()
            return await function(call, space)

        schema = {"type": "object", "properties": properties, "required": list(required)}
        return tool(id, name, description, schema, **options)(handler)

    return register


WRITES: ToolOptions = {"side_effects": ("workspace_write",)}
# Not to be done twice: a command whose worker died under it ends with an error, and is not run again.
RUNS: ToolOptions = {**WRITES, "idempotent": False, "is_contained": True}


@code_tool(
    "read_file", "Read Workspace File", "Reads a text file of the workspace.",
    {"path": PATH, "offset": {"type": "integer", "minimum": 0, "default": 0, "description": "Character to begin at."}},
    "path", canonical=canonical(path=file_path),
)  # fmt: skip
async def read_file(call: ToolCall, space: Workspace) -> str:
    """The text, at most MAX_READ_BYTES of it from the offset."""
    content = await asyncio.to_thread(space.read_file, call.input["path"], MAX_FILE + 1)
    if b"\0" in content[:8192]:
        raise WorkspaceError(f"{call.input['path']} is no text file.")
    text = content.decode("utf-8", "replace")
    start = call.input.get("offset", 0)
    end = start + MAX_READ_BYTES
    more = f"\n[… {len(text) - end} more characters; go on with offset {end}]" if end < len(text) else ""
    return text[start:end] + more


@code_tool(
    "write_file", "Write Workspace File", "Writes a text file of the workspace, in place of what was there.",
    {"path": PATH, "content": {"type": "string", "description": "The whole text."}}, "path", "content",
    canonical=canonical(path=file_path), **WRITES,
)  # fmt: skip
async def write_file(call: ToolCall, space: Workspace) -> str:
    """A confirmation."""
    await asyncio.to_thread(space.write_file, call.input["path"], call.input["content"].encode("utf-8", "replace"))
    return "File written successfully"


@code_tool(
    "list_files", "List Workspace Files", "Lists the files of the workspace and its folders.",
    {"root": {"type": "string", "default": ".", "description": "A folder of the workspace."}},
    canonical=canonical(root=partial(folder_path, field="root")),
)  # fmt: skip
async def list_files(call: ToolCall, space: Workspace) -> list[str]:
    """Their paths, at most a thousand."""
    return await asyncio.to_thread(lambda: list(itertools.islice(space.files(call.input.get("root", ".")), MAX_LIST)))


@code_tool(
    "search_files", "Search Workspace Files", "Finds the lines of the workspace's text files that hold a text.",
    {
        "pattern": {"type": "string", "minLength": 1, "maxLength": 500, "description": "Case does not count."},
        "path": {"type": "string", "default": ".", "description": "A folder of the workspace."},
    },
    "pattern", canonical=canonical(path=folder_path),
)  # fmt: skip
async def search_files(call: ToolCall, space: Workspace) -> list[JsonObject]:
    """[{path, line, text}], at most two hundred."""
    pattern, folder = call.input["pattern"].casefold(), call.input.get("path", ".")
    return await asyncio.to_thread(lambda: list(itertools.islice(_lines(space, folder, pattern), MAX_MATCHES)))


def _lines(space: Workspace, folder: str, pattern: str) -> Any:
    for path in itertools.islice(space.files(folder), MAX_LIST * 10):
        try:
            content = space.read(path, limit=MAX_FILE)
        except (DomainError, OSError):  # gone, not ours to read, or with a name that is no text
            continue
        if b"\0" in content[:8192]:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
            if pattern in line.casefold():
                yield {"path": path, "line": number, "text": line[:MAX_LINE_LENGTH]}


@code_tool(
    "apply_patch", "Apply Patch", "Changes files of the workspace by a unified diff, all of it or nothing.",
    {"patch": {"type": "string", "minLength": 1, "description": "As diff -u or git diff write it."}}, "patch", **RUNS,
)  # fmt: skip
async def apply_patch(call: ToolCall, space: Workspace) -> str:
    """A sentence with the changed files."""
    return f"Patch applied: {', '.join(await patches.apply(space, call.input['patch']))}"


@code_tool(
    "shell", "Shell", "Runs a command line in the workspace, in a sandbox without network.",
    {
        "command": {"type": "string", "minLength": 1, "maxLength": 20_000},
        "timeout": {"type": "number", "exclusiveMinimum": 0, "maximum": 300, "default": 300, "description": "Seconds."},
    },
    "command", risk_level="medium", **RUNS,
)  # fmt: skip
async def shell(call: ToolCall, space: Workspace) -> JsonObject:
    """{stdout, stderr, returncode, execution_time, note?}; the last in seconds."""
    wall_s = call.input.get("timeout", 300)
    start = time.perf_counter()
    result = await shell_commands.shell(space, call.input["command"], wall_s)
    notes = [
        {"": "", "time": f"Stopped after {wall_s:g} s."}.get(
            result.stop_reason, f"Stopped: too much {result.stop_reason}."
        )
    ]
    notes += ["The output was longer; the rest is cut."] if result.output_truncated else []
    note = " ".join(part for part in notes if part)
    return {
        "stdout": _text(result.stdout),
        "stderr": _text(result.stderr),
        "returncode": TIMED_OUT if result.returncode is None else result.returncode,
        "execution_time": round(time.perf_counter() - start, 3),
    } | ({"note": note} if note else {})


def _text(raw: bytes) -> str:
    """Output as text that JSON and PostgreSQL can hold."""
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")


@code_tool("git_status", "Git Status", "What has changed in the workspace since the last commit, in short form.", {})
async def git_status(call: ToolCall, space: Workspace) -> str:
    """A line for each changed file."""
    return (await shell_commands.git(space, "git status --short")).rstrip() or "Nothing has changed."


@code_tool(
    "git_commit", "Git Commit", "Commits all changes of the workspace.",
    {"message": {"type": "string", "minLength": 1, "maxLength": 2_000}}, "message", **RUNS,
)  # fmt: skip
async def git_commit(call: ToolCall, space: Workspace) -> str:
    """The output of git."""
    script = 'git add -A && if git diff --cached --quiet; then echo "Nothing to commit."; else git commit -qm "$1" && '
    script += "git log -1 --stat --format=%h\\ %s; fi"
    return (await shell_commands.git(space, script, call.input["message"])).rstrip()
