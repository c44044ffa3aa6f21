"""The report of a task: the diff of its workspace, and the changed files, stored among the tenant's files."""

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from agents.workspaces.shell_commands import git
from agents.workspaces.workspace import Workspace
from config.errors import DomainError
from config.values.json_types import JsonObject
from memory.files import file_store
from memory.files.file_store import MAX_SIZE, Writer

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

MAX_DIFF_LENGTH = 256 * 1024  # bytes
MAX_FILES, MAX_BYTES = 100, 50 * 1024 * 1024
# Against the beginning, through an index of its own: the agent's index and commits stay as they are.
DIFF = "export GIT_INDEX_FILE=/tmp/index; git read-tree $1 && { git add -A --ignore-errors || :; } && "
DIFF += "git diff --cached --no-ext-diff --no-textconv --no-color "


@dataclass(frozen=True)
class ReportFile:
    """A changed file as it is stored; `size` in bytes."""

    path: str
    file_id: str
    size: int


async def make_report(ctx: "RunContext", workspace: Workspace, base: str, answer: str) -> JsonObject:
    """{said: the agent's answer, diff, files: [{path, file_id, size}], notes}; a part that cannot be made is missing,
    and a note says why.
    """
    try:
        workspace.check()
    except DomainError as fault:
        return _report(answer, None, [], [fault.message])
    notes: list[str] = []
    try:
        diff, paths = await _changes(workspace, base)
    except DomainError as fault:  # the agent may have broken its repository; its files are there all the same
        notes.append(f"There is no diff: {fault.message}")
        diff, paths = await _changes(workspace, "")
    if diff is not None and len(diff) > MAX_DIFF_LENGTH:
        diff = diff[:MAX_DIFF_LENGTH]
        notes.append("The diff is longer; the rest is cut.")
    files = await _store_files(ctx, workspace, paths[:MAX_FILES], notes)
    if len(paths) > MAX_FILES:
        notes.append(f"Of {len(paths)} changed files {MAX_FILES} were kept.")
    return _report(answer, diff, files, notes)


def _report(answer: str, diff: str | None, files: list[ReportFile], notes: list[str]) -> JsonObject:
    return {"said": answer, "diff": diff, "files": [asdict(file) for file in files], "notes": notes}


async def _changes(workspace: Workspace, base: str) -> tuple[str | None, list[str]]:
    """(the diff, the files that are new or changed); where git cannot be run, all files and no diff."""
    if not base:
        return None, await asyncio.to_thread(lambda: list(workspace.files()))
    diff = await git(workspace, f"{DIFF} $1", base, max_output=MAX_DIFF_LENGTH + 1024)
    names = await git(workspace, f"{DIFF} --name-only --diff-filter=d -z $1", base, max_output=MAX_DIFF_LENGTH)
    return diff.replace("\0", "\ufffd"), [name for name in names.split("\0") if name]


async def _store_files(
    ctx: "RunContext", workspace: Workspace, paths: Iterable[str], notes: list[str]
) -> list[ReportFile]:
    """The files that were stored, MAX_BYTES of them together; a note is added for each of the others."""
    files: list[ReportFile] = []
    remaining = MAX_BYTES
    for path in paths:
        file = await _store(ctx, workspace, path, min(remaining, MAX_SIZE))
        if file is None:
            notes.append(f"{path} was not kept: it is too large, or no regular file.")
            continue
        remaining -= file.size
        files.append(file)
    return files


async def _store(ctx: "RunContext", workspace: Workspace, path: str, max_bytes: int) -> ReportFile | None:
    try:
        content = await asyncio.to_thread(workspace.read_file, path, max_bytes + 1)
    except DomainError:
        return None
    if len(content) > max_bytes:
        return None
    run = ctx.run
    effect_key = f"{run.id}:report:{sha256(path.encode()).hexdigest()}"
    writer = Writer(run.tenant_id, run.created_by, run.id, run.app_id, effect_key)
    try:
        file = await ctx.database(partial(file_store.create_file, writer, path, content))
    except DomainError:  # a name that our files do not take
        return None
    return ReportFile(path, str(file.pk), file.size)
