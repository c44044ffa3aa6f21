"""files.read, files.write, files.list: the tenant's files (seed 000 §7), as agents see them."""

import base64
from functools import partial
from typing import Any
from uuid import UUID

from agents.tools.canonical import canonical, uuid_form
from agents.tools.registry import ToolCall, tool
from agents.tools.staging import files as staging
from config.errors import Invalid
from config.http.paging import count
from memory.files import file_store
from memory.files.file_store import FileNotFound, Writer
from memory.files.paths import checked_path
from memory.files.text_extraction import extract_text
from memory.models import File

MAX_READ_BYTES = 20_000  # characters of a text at a time
BASE64_MOST = 256 * 1024  # bytes of a file that is given as base64
MAX_LIST = 500
READ = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "description": "The file's path, as files.list tells it."},
        "file_id": {"type": "string", "description": "The file's id, instead of its path."},
        "offset": {"type": "integer", "minimum": 0, "default": 0, "description": "Character to begin at."},
        "as": {"type": "string", "enum": ["text", "base64"], "default": "text"},
    },
}
WRITE = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "Such as reports/june.md."},
        "content": {"type": "string", "description": "The whole text of the file."},
        "encoding": {"type": "string", "enum": ["text", "base64"], "default": "text"},
        "mime_type": {"type": "string", "maxLength": 255},
    },
    "required": ["path", "content"],
}
LIST = {
    "type": "object",
    "properties": {
        "prefix": {"type": "string", "description": "Only paths that begin so."},
        "run_id": {"type": "string", "description": "Only the files of this run."},
    },
}


def described(file: File) -> dict[str, Any]:
    """A file without its content."""
    told = {"file_id": str(file.pk), "path": file.path, "size": file.size, "mime_type": file.mime_type}
    return told | {"version": file.version, "run_id": str(file.run_id) if file.run_id else None}


def _found(tenant_id: str, run_id: UUID, path: str, file_id: str) -> File:
    """The file of this id or path: the run's own first, else the newest."""
    rows = File.objects.for_tenant(tenant_id)
    try:
        if file_id:
            found = rows.filter(pk=UUID(file_id)).first()
        else:
            own = rows.filter(path=path)
            found = own.filter(run_id=run_id).order_by("-created_at").first() or own.order_by("-created_at").first()
    except ValueError:
        found = None
    if found is None:
        raise FileNotFound(f"There is no file {(file_id or path)[:200]!r}; files.list tells which there are.")
    return found


def path_form(path: str) -> str:
    """The path as files are stored; an empty one names no file, as if it were left out."""
    return checked_path(path) if path else ""


@tool(
    "files.read",
    "Read File",
    "Reads the text of a file; of PDF and HTML files too.",
    READ,
    side_effects=("file_read",),
    canonical=canonical(path=path_form, file_id=uuid_form),
)
async def read(call: ToolCall) -> dict[str, Any]:
    """{path, content, offset, total, …}: total is the text's length, `next_offset` where to go on."""
    given, run = call.input, call.run
    assert run
    if not given.get("path") and not given.get("file_id"):
        raise Invalid({"path": ["Give the path or the file_id."]})

    def load() -> tuple[dict[str, Any], bytes]:
        named = given.get("path") or "", given.get("file_id") or ""
        if call.mode == "draft" and (staged := staging.find_staged(call, *named)):
            return staged
        file = _found(call.tenant_id, run.id, *named)
        return described(file), file_store.read_content(file)

    file, content = await call.database(load)
    if given.get("as") == "base64":
        if len(content) > BASE64_MOST:
            raise Invalid({"as": [f"The file has {len(content)} bytes; base64 is for at most {BASE64_MOST}."]})
        return file | {"content": base64.b64encode(content).decode(), "encoding": "base64"}
    text = await call.in_thread(partial(extract_text, content, file["mime_type"]))
    start = given.get("offset", 0)
    end = start + MAX_READ_BYTES
    body = {"content": text[start:end], "encoding": "text", "offset": start, "total": len(text)}
    return file | body | ({"next_offset": end} if end < len(text) else {})


@tool(
    "files.write",
    "Write File",
    "Writes a text file; what was there before stays as an earlier version.",
    WRITE,
    side_effects=("file_write",),
    canonical=canonical(path=checked_path),
    staging=staging.STAGING,
)
async def write(call: ToolCall) -> dict[str, Any]:
    """The file, {file_id, path, size, version, …}."""
    given, run = call.input, call.run
    assert run
    content = staging.decode_content(given)
    writer = Writer(call.tenant_id, run.created_by, run.id, run.app_id, call.key, call.effect_id)

    def save() -> File:
        path = given["path"]
        known = staging.find_target(call.tenant_id, run.id, path)
        if known is None:
            return file_store.create_file(writer, path, content, given.get("mime_type") or "")
        return file_store.replace_content(known, writer, content, given.get("mime_type") or "")

    return described(await call.database(save))


@tool(
    "files.list",
    "List Files",
    "Lists the tenant's files by path.",
    LIST,
    side_effects=("file_read",),
    canonical=canonical(run_id=uuid_form),
)
async def list_files(call: ToolCall) -> dict[str, Any]:
    """{files, total}: at most 500 of them."""
    filters: dict[str, Any] = {"path__startswith": call.input["prefix"]} if call.input.get("prefix") else {}
    if call.input.get("run_id"):
        try:
            filters["run_id"] = UUID(call.input["run_id"])
        except ValueError:
            raise Invalid({"run_id": ["Must be the id of a run."]}) from None

    def load() -> dict[str, Any]:
        rows = file_store.list_files(call.tenant_id, **filters)
        told, total = [described(row) for row in rows[:MAX_LIST]], count(rows).value
        run = call.run
        if call.mode == "draft" and run and filters.get("run_id", run.id) == run.id:
            known = len(told)
            told = staging.merge_staged(call, call.input.get("prefix") or "", told)[:MAX_LIST]
            total += max(len(told) - known, 0)
        return {"files": told, "total": total}

    found: dict[str, Any] = await call.database(load)
    return found
