"""files.write in a draft, and how the run's own reads see it."""

import base64
import binascii
from typing import Any

from agents.tools.registry import Staging, ToolCall
from config.errors import Invalid
from memory.files import file_store
from memory.models import File, FileVersion
from orchestration.models import Change
from orchestration.runs.draft_effects import StagedEffect, staged_changes

KIND = "file"
MAX_EXCERPT_LENGTH = 4_000  # characters of a text that a diff shows


def content_of(given: dict[str, Any]) -> bytes:
    """The bytes that a call of files.write brings."""
    if given.get("encoding") != "base64":
        return str(given["content"]).encode()
    try:
        return base64.b64decode(given["content"], validate=True)
    except (binascii.Error, ValueError):
        raise Invalid({"content": ["Must be base64 (RFC 4648)."]}) from None


def written_to(tenant_id: str, run_id: Any, path: str) -> File | None:
    """The file that a write of this run to the path replaces."""
    return File.objects.for_tenant(tenant_id).filter(path=path, run_id=run_id).order_by("-created_at").first()


async def stage(call: ToolCall) -> StagedEffect:
    """The file before and after."""
    run, content, path = call.run, content_of(call.input), call.input["path"]
    mime = file_store.mime_of(path, call.input.get("mime_type") or "")
    after = _shown(content, mime)

    def look() -> tuple[Any, dict[str, Any]]:
        earlier = [change for change in staged_changes(call.tenant_id, run.id, KIND) if change.target == path]
        if earlier:
            return earlier[-1].after, earlier[-1].base
        known = written_to(call.tenant_id, run.id, path)
        if known is None:
            return None, {"file_id": str(call.effect_id), "version": 0}
        before = _shown(file_store.read_content(known), known.mime_type) | {"version": known.version}
        return before, {"file_id": str(known.pk), "version": known.version}

    before, base = await call.database(look)
    told = {"file_id": base["file_id"], "path": path, "size": len(content), "mime_type": mime}
    return StagedEffect(KIND, path, before, after, base, told | {"version": base["version"] + 1, "run_id": str(run.id)})


def _shown(content: bytes, mime: str) -> dict[str, Any]:
    told: dict[str, Any] = {"size": len(content), "mime_type": mime}
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return told
    return told | ({"content": text} if len(text) <= MAX_EXCERPT_LENGTH else {"begins": text[:MAX_EXCERPT_LENGTH]})


def moved(change: Change, earlier: list[Change]) -> str:
    """Whether somebody else has written the file meanwhile."""
    known = written_to(change.tenant_id, change.run_id, change.target)
    if (known.version if known else 0) == change.base["version"]:
        return ""
    last = known and FileVersion.objects.for_tenant(change.tenant_id).filter(file=known, number=known.version).first()
    if last and (last.effect_key or "").startswith(f"{change.run_id}:"):
        return ""  # an earlier change of the same run
    return f"The file {change.target} has changed since."


STAGING = Staging(stage, moved)


def found(call: ToolCall, path: str, file_id: str) -> tuple[dict[str, Any], bytes] | None:
    """(description, content) of the latest staged version of a file."""
    for change in reversed(staged_changes(call.tenant_id, call.run.id, KIND)):
        if (file_id and file_id == change.base["file_id"]) or (not file_id and path == change.target):
            return described(change), content_of(change.arguments)
    return None


def described(change: Change) -> dict[str, Any]:
    """A staged file as files.list tells it."""
    after: Any = change.after
    told = {"file_id": change.base["file_id"], "path": change.target, "size": after["size"]}
    version = change.base["version"] + 1
    return told | {"mime_type": after["mime_type"], "version": version, "run_id": str(change.run_id)}


def listed(call: ToolCall, prefix: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The list with what is staged, in the order of paths."""
    by_id = {row["file_id"]: row for row in rows}
    for change in staged_changes(call.tenant_id, call.run.id, KIND):
        if change.target.startswith(prefix):
            by_id[change.base["file_id"]] = described(change)
    return sorted(by_id.values(), key=lambda row: row["path"])
