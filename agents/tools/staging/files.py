"""files.write in a draft, and how the reads of the same run see the staged files."""

import base64
import binascii
from uuid import UUID

from agents.tools.registry import Staging, ToolCall
from config.errors import Invalid
from config.values.json_types import JsonObject
from memory.files import file_store
from memory.models import File, FileVersion
from orchestration.models import Change
from orchestration.runs.draft_effects import StagedEffect, staged_changes

KIND = "file"
MAX_EXCERPT_LENGTH = 4_000  # characters of a text that a diff shows


def decode_content(arguments: JsonObject) -> bytes:
    """The bytes that a call of files.write brings."""
    if arguments.get("encoding") != "base64":
        return str(arguments["content"]).encode()
    try:
        return base64.b64decode(arguments["content"], validate=True)
    except (binascii.Error, ValueError):
        raise Invalid({"content": ["Must be base64 (RFC 4648)."]}) from None


def find_target(tenant_id: str, run_id: UUID, path: str) -> File | None:
    """The file that a write of this run to the path replaces: the newest that the run itself has made."""
    return File.objects.for_tenant(tenant_id).filter(path=path, run_id=run_id).order_by("-created_at").first()


async def stage_write(call: ToolCall) -> StagedEffect:
    """The file before and after the write."""
    run, content, path = call.run, decode_content(call.input), call.input["path"]
    mime_type = file_store.mime_of(path, call.input.get("mime_type") or "")

    def read() -> tuple[JsonObject | None, JsonObject]:
        earlier = [change for change in staged_changes(call.tenant_id, run.id, KIND) if change.target == path]
        if earlier:
            return earlier[-1].after, earlier[-1].base
        target = find_target(call.tenant_id, run.id, path)
        if target is None:
            return None, {"file_id": str(call.effect_id), "version": 0}
        excerpt = _excerpt(file_store.read_content(target), target.mime_type) | {"version": target.version}
        return excerpt, {"file_id": str(target.pk), "version": target.version}

    before, base = await call.database(read)
    answer = {"file_id": base["file_id"], "path": path, "size": len(content), "mime_type": mime_type}
    answer |= {"version": base["version"] + 1, "run_id": str(run.id)}
    return StagedEffect(KIND, path, before, _excerpt(content, mime_type), base, answer)


def _excerpt(content: bytes, mime_type: str) -> JsonObject:
    """{size, mime_type}, with `content` of a text, or of a long one what it `begins` with."""
    file: JsonObject = {"size": len(content), "mime_type": mime_type}
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return file
    return file | ({"content": text} if len(text) <= MAX_EXCERPT_LENGTH else {"begins": text[:MAX_EXCERPT_LENGTH]})


def conflict(change: Change, earlier: list[Change]) -> str:
    """The sentence that another has written the file since it was staged; "" when nobody has."""
    target = find_target(change.tenant_id, change.run_id, change.target)
    version = target.version if target else 0
    if version == change.base["version"]:
        return ""
    rows = FileVersion.objects.for_tenant(change.tenant_id).filter(file=target, number=version)
    last = rows.first() if target else None
    if last and (last.effect_key or "").startswith(f"{change.run_id}:"):
        return ""  # an earlier change of the same run
    return f"The file {change.target} has changed since."


STAGING = Staging(stage_write, conflict)


def find_staged(call: ToolCall, path: str, file_id: str) -> tuple[JsonObject, bytes] | None:
    """(description, content) of the latest staged version of a file; None when the run has staged none."""
    for change in reversed(staged_changes(call.tenant_id, call.run.id, KIND)):
        if (file_id and file_id == change.base["file_id"]) or (not file_id and path == change.target):
            return file_json(change), decode_content(change.arguments)
    return None


def file_json(change: Change) -> JsonObject:
    """A staged file as files.list describes it."""
    after: JsonObject = change.after
    return {
        "file_id": change.base["file_id"],
        "path": change.target,
        "size": after["size"],
        "mime_type": after["mime_type"],
        "version": change.base["version"] + 1,
        "run_id": str(change.run_id),
    }


def merge_staged(call: ToolCall, prefix: str, files: list[JsonObject]) -> list[JsonObject]:
    """The list with the staged files of this prefix, in the order of paths."""
    by_id = {file["file_id"]: file for file in files}
    for change in staged_changes(call.tenant_id, call.run.id, KIND):
        if change.target.startswith(prefix):
            by_id[change.base["file_id"]] = file_json(change)
    return sorted(by_id.values(), key=lambda file: file["path"])
