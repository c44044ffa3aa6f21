"""Where the bytes of files lie: a folder of DATA_DIR, or an S3 bucket by setting (settings.STORAGES["files"])."""

from io import BytesIO
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage, storages
from django.utils.deconstruct import deconstructible
from uuid_utils.compat import uuid7

from memory.files.paths import Folder


@deconstructible
class FolderStorage(Storage):
    """Django's storage protocol over a Folder, which no name leads out of."""

    def __init__(self, location: str) -> None:
        self.folder = Folder(Path(location))

    def _open(self, name: str, mode: str = "rb") -> File:
        return File(BytesIO(self.folder.read(name)), name=name)

    def _save(self, name: str, content: Any) -> str:
        self.folder.write(name, content.read())
        return name

    def delete(self, name: str) -> None:
        """Remove the file."""
        self.folder.delete(name)

    def exists(self, name: str) -> bool:
        """True when it is there."""
        return self.folder.exists(name)


def save_blob(content: bytes) -> str:
    """The name under which these bytes lie from now on."""
    blob_id = str(uuid7())
    return storages["files"].save(f"{blob_id[-2:]}/{blob_id}", ContentFile(content))


def read_blob(name: str, start: int = 0, limit: int | None = None) -> bytes:
    """The bytes of this name, or a part of them."""
    storage = storages["files"]
    if isinstance(storage, FolderStorage):
        return storage.folder.read(name, start, -1 if limit is None else limit)
    with storage.open(name) as file:
        file.seek(start)
        return file.read() if limit is None else file.read(limit)


def delete_blob(name: str) -> None:
    """Remove these bytes."""
    storages["files"].delete(name)
