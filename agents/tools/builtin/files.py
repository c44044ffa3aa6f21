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
from config.values.json_types import JsonObject
from memory.files import file_store
from memory.files.file_store import FileNotFound, Writer
from memory.files.paths import checked_path
from memory.files.text_extraction import extract_text
from memory.models import File

MAX_READ_BYTES = 20_000  # characters of a text at a time
MAX_BASE64_BYTES = 256 * 1024  # bytes of a file that is given as base64
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


def file_json(file: File) -> JsonObject:
    """A file without its content."""
    return {
        "file_id": str(file.pk),
        "path": file.path,
        "size": file.size,
        "mime_type": file.mime_type,
        "version": file.version,
        "run_id": str(file.run_id) if file.run_id else None,
    }


def _find(tenant_id: str, run_id: UUID, path: str, file_id: str) -> File:
    """The file of this id or path: the run's own first, else the newest."""
    rows = File.objects.for_tenant(tenant_id)
    try:
        if file_id:
            file = rows.filter(pk=UUID(file_id)).first()
        else:
            own = rows.filter(path=path)
            file = own.filter(run_id=run_id).order_by("-created_at").first() or own.order_by("-created_at").first()
    except ValueError:
        file = None
    if file is None:
        raise FileNotFound(f"There is no file {(file_id or path)[:200]!r}; files.list tells which there are.")
    return file


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
async def read(call: ToolCall) -> JsonObject:
    """{path, content, offset, total, …}: total is the text's length, `next_offset` where to go on."""
    arguments, run = call.input, call.run
    if not arguments.get("path") and not arguments.get("file_id"):
        raise Invalid({"path": ["Give the path or the file_id."]})

    def load() -> tuple[JsonObject, bytes]:
        reference = arguments.get("path") or "", arguments.get("file_id") or ""
        if call.mode == "draft" and (draft := staging.find_staged(call, *reference)):
            return draft
        file = _find(call.tenant_id, run.id, *reference)
        return file_json(file), file_store.read_content(file)

    file, content = await call.database(load)
    if arguments.get("as") == "base64":
        if len(content) > MAX_BASE64_BYTES:
            raise Invalid({"as": [f"The file has {len(content)} bytes; base64 is for at most {MAX_BASE64_BYTES}."]})
        return file | {"content": base64.b64encode(content).decode(), "encoding": "base64"}
    text = await call.in_thread(partial(extract_text, content, file["mime_type"]))
    start = arguments.get("offset", 0)
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
async def write(call: ToolCall) -> JsonObject:
    """The file, {file_id, path, size, version, …}."""
    arguments, run = call.input, call.run
    content = staging.decode_content(arguments)
    writer = Writer(call.tenant_id, run.created_by, run.id, run.app_id, call.key, call.effect_id)

    def save() -> File:
        path = arguments["path"]
        existing = staging.find_target(call.tenant_id, run.id, path)
        if existing is None:
            return file_store.create_file(writer, path, content, arguments.get("mime_type") or "")
        return file_store.replace_content(existing, writer, content, arguments.get("mime_type") or "")

    return file_json(await call.database(save))


@tool(
    "files.list",
    "List Files",
    "Lists the tenant's files by path.",
    LIST,
    side_effects=("file_read",),
    canonical=canonical(run_id=uuid_form),
)
async def list_files(call: ToolCall) -> JsonObject:
    """{files, total}: at most 500 of them."""
    filters: dict[str, Any] = {"path__startswith": call.input["prefix"]} if call.input.get("prefix") else {}
    if call.input.get("run_id"):
        try:
            filters["run_id"] = UUID(call.input["run_id"])
        except ValueError:
            raise Invalid({"run_id": ["Must be the id of a run."]}) from None

    def load() -> JsonObject:
        rows = file_store.list_files(call.tenant_id, **filters)
        files, total = [file_json(row) for row in rows[:MAX_LIST]], count(rows).value
        if call.mode == "draft" and filters.get("run_id", call.run.id) == call.run.id:
            count_before = len(files)
            files = staging.merge_staged(call, call.input.get("prefix") or "", files)[:MAX_LIST]
            total += max(len(files) - count_before, 0)
        return {"files": files, "total": total}

    result: JsonObject = await call.database(load)
    return result
