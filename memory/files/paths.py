"""Paths that users choose: checked as labels, and opened on disk only beneath a folder (RELIABILITY S5)."""

import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EINVAL
from pathlib import Path
from urllib.parse import unquote

from config.errors import Invalid

MAX_LENGTH = 1024
MAX_PART_LENGTH = 255
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
DRIVE_OR_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
MAX_UNQUOTES = 3  # %252e is a dot too
# What shows nothing although Unicode counts it as letters or symbols: fillers of Hangul and Khmer, the Braille blank.
FILLERS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def checked_path(path: str, field: str = "path") -> str:
    """The path with plain slashes; Invalid when it is absolute, leaves its folder, or names a drive or scheme."""
    fault = _fault(path)
    if fault:
        raise Invalid({field: [f"{fault} Use a relative path such as documents/report.pdf."]})
    return _plain(path)


def _plain(path: str) -> str:
    """The path with plain slashes, without empty parts and “.”; "" when nothing is left."""
    return "/".join(part for part in path.replace("\\", "/").split("/") if part not in ("", "."))


def is_blank(part: str) -> bool:
    """True for a name that shows nothing: white space, format and control characters, fillers, or no character."""
    return all(
        character.isspace() or character in FILLERS or unicodedata.category(character) in ("Cf", "Cc")
        for character in part
    )


def _fault(path: str) -> str:
    readings = [path, _plain(path)]  # "./C:/x" begins with a drive once its dot is gone
    for _ in range(MAX_UNQUOTES):
        readings.append(unquote(readings[-1]))
    if not _plain(path):
        return "Must not be empty."
    if len(path) > MAX_LENGTH:
        return f"Must have at most {MAX_LENGTH} characters."
    for reading in readings:
        plain = reading.replace("\\", "/")
        parts = plain.split("/")
        if CONTROL_CHARACTERS.search(reading):
            return "Must not hold control characters."
        if plain.startswith("/") or DRIVE_OR_SCHEME.match(plain):
            return "Must be relative, without a drive or a scheme."
        if ".." in (part.strip() for part in parts):
            return "Must not go up with “..”."
        if any(part and is_blank(part) for part in parts):
            return "No name in it may be blank."
        if any(len(part.encode("utf-8", "replace")) > MAX_PART_LENGTH for part in parts):
            return f"Each part must have at most {MAX_PART_LENGTH} bytes."
    return ""


class Folder:
    """A folder out of which no path leads: each part is opened from the one before, and no link is followed.

    What is made in it has these modes, and belongs to `owner` where that is another user than we are.
    """

    mode, folder_mode = 0o600, 0o700
    owner: int | None = None

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str, start: int = 0, limit: int = -1) -> bytes:
        """The file's bytes from `start` on, at most so many."""
        with self._parent(path) as (folder, name):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe must keep nobody waiting
            file = os.open(name, flags, dir_fd=folder)
        with os.fdopen(file, "rb") as file_object:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(EINVAL, "it is no regular file")
            file_object.seek(start)
            return file_object.read(limit)

    def write(self, path: str, content: bytes) -> None:
        """Put the file there, whole or not at all: what a crash leaves behind is a temporary file of another name."""
        with self._parent(path, make=True) as (folder, name):
            draft = f".{secrets.token_hex(8)}.tmp"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                with os.fdopen(os.open(draft, flags, self.mode, dir_fd=folder), "wb") as file_object:
                    file_object.write(content)
                    file_object.flush()
                    self._own(file_object.fileno())
                    os.fsync(file_object.fileno())
                os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                with suppress(OSError):
                    os.unlink(draft, dir_fd=folder)
                raise

    def delete(self, path: str) -> None:
        """Remove the file; nothing when it is not there."""
        try:
            with self._parent(path) as (folder, name):
                os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return

    def exists(self, path: str) -> bool:
        """True when a file is there."""
        try:
            with self._parent(path) as (folder, name):
                os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return False
        return True

    @contextmanager
    def _parent(self, path: str, make: bool = False) -> Iterator[tuple[int, str]]:
        """(descriptor of the folder that the path's last part is in, that part)."""
        *folders, name = checked_path(path).split("/")
        if make:
            self.root.mkdir(parents=True, exist_ok=True)
        at = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in folders:
                above, at = at, self._down(at, folder, make)
                os.close(above)
            yield at, name
        finally:
            os.close(at)

    def _down(self, at: int, folder: str, make: bool) -> int:
        """The descriptor of a folder in the open one; OSError for a link."""
        is_new = False
        if make:
            with suppress(FileExistsError):
                os.mkdir(folder, self.folder_mode, dir_fd=at)
                is_new = True
        down = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
        if is_new:
            self._own(down)
        return down

    def _own(self, target: int | Path) -> None:
        """Give it to the owner."""
        if self.owner is not None:
            os.chown(target, self.owner, self.owner)
