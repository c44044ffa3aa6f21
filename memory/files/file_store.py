"""Files of a tenant: made, given new content, read, deleted. The bytes are stored before the row that names them."""

import hashlib
import mimetypes
from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict
from uuid import UUID

from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from config.errors import NotFound, PayloadTooLarge
from memory.files.paths import checked_path
from memory.files.storage import delete_blob, read_blob, save_blob
from memory.models import File, FileVersion

MAX_SIZE = 10 * 1024 * 1024
DEFAULT_MIME_TYPE = "application/octet-stream"


class FileNotFound(NotFound):
    """There is no such file."""


@dataclass(frozen=True)
class Writer:
    """Who writes, in which run or app; `effect_key` makes a step that is done again find what it wrote."""

    tenant_id: str
    user_id: UUID | None = None
    run_id: UUID | None = None
    app_id: str = ""
    effect_key: str | None = None
    file_id: UUID | None = None  # of a file that is to be made


class ContentFields(TypedDict):
    """What the rows of a file and of its version say of its content; the size is in bytes."""

    size: int
    sha256: str
    mime_type: str


def mime_of(path: str, mime_type: str = "") -> str:
    """The media type: the one sent, else the one of the path's ending."""
    return mime_type or mimetypes.guess_type(path)[0] or DEFAULT_MIME_TYPE


def create_file(writer: Writer, path: str, content: bytes, mime_type: str = "") -> File:
    """The new file with its first version."""
    if earlier := _earlier_version(writer):
        return earlier.file
    path = checked_path(path)
    fields = _content_fields(content, mime_of(path, mime_type))
    file = File(tenant_id=writer.tenant_id, path=path, run_id=writer.run_id, app_id=writer.app_id, **fields)
    file.created_by = writer.user_id
    file.pk = writer.file_id or file.pk
    return _save(file, writer, content, fields)


def replace_content(file: File, writer: Writer, content: bytes, mime_type: str = "") -> File:
    """The file with another content as its next version."""
    if earlier := _earlier_version(writer):
        return earlier.file
    fields = _content_fields(content, mime_type or file.mime_type)
    return _save(file, writer, content, fields)


def _earlier_version(writer: Writer) -> FileVersion | None:
    if writer.effect_key is None:
        return None
    rows = FileVersion.objects.for_tenant(writer.tenant_id).select_related("file")
    return rows.filter(effect_key=writer.effect_key).first()


def _content_fields(content: bytes, mime_type: str) -> ContentFields:
    if len(content) > MAX_SIZE:
        raise PayloadTooLarge(f"The file has {len(content)} bytes; at most {MAX_SIZE} fit.", limit=MAX_SIZE)
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "mime_type": mime_type}


def _save(file: File, writer: Writer, content: bytes, fields: ContentFields) -> File:
    """Store the bytes, then the rows; when those cannot be written, the bytes go as well."""
    blob = save_blob(content)
    try:
        with transaction.atomic():
            if not file._state.adding:
                file = File.objects.for_tenant(file.tenant_id).select_for_update().get(pk=file.pk)
                file.version += 1
            for name, value in fields.items():
                setattr(file, name, value)
            file.save()
            FileVersion.all_tenants.create(
                tenant_id=file.tenant_id, file=file, number=file.version, blob=blob,
                effect_key=writer.effect_key, created_by=writer.user_id, **fields,
            )  # fmt: skip
    except IntegrityError:
        delete_blob(blob)
        if earlier := _earlier_version(writer):  # the same step, at the same time
            return earlier.file
        raise
    except (OperationalError, InterfaceError):
        raise  # the rows may be there all the same: bytes that nobody names do less harm than a file without any
    except Exception:
        delete_blob(blob)
        raise
    return file


def version_of(file: File, number: int | None = None) -> FileVersion:
    """The version of this number, the latest without one; FileNotFound when there is none."""
    rows = FileVersion.objects.for_tenant(file.tenant_id).filter(file=file)
    version = rows.filter(number=file.version if number is None else number).first()
    if version is None:
        raise FileNotFound(f"The file has no version {number}.", file_id=str(file.pk))
    return version


def read_content(file: File, number: int | None = None, start: int = 0, limit: int | None = None) -> bytes:
    """The bytes of a version, or a part of them."""
    return read_blob(version_of(file, number).blob, start, limit)


def delete_file(file: File) -> None:
    """The file, its versions and their bytes are gone."""
    blobs = list(FileVersion.objects.for_tenant(file.tenant_id).filter(file=file).values_list("blob", flat=True))
    with transaction.atomic():
        file.delete()
        for blob in blobs:
            transaction.on_commit(partial(delete_blob, blob))


def list_files(tenant_id: str, **filters: Any) -> QuerySet[File]:
    """The tenant's files by path, then by age."""
    return File.objects.for_tenant(tenant_id).filter(**filters).order_by("path", "created_at")
