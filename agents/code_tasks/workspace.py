"""A task's workspace: a folder of DATA_DIR that only its commands, in the sandbox, and its file tools reach.

Commands run as a user of the workspace's own, and may put anything into it: links, pipes, files that change while they
are read. So nothing here follows a link, waits for a pipe, or trusts a size (RELIABILITY S5).
"""

import os
import stat
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from django.conf import settings

from agents.errors import WorkspaceError
from agents.sandbox import sandboxed_command
from config.errors import Invalid
from memory.files.paths import Folder, checked_path, is_blank
from memory.files.trees import TooDeep, walk

GIT = ".git"
FIRST_USER, USERS = 2_000_000_000, 100_000_000


class Workspace(Folder):
    """The workspace of one task."""

    mode, folder_mode = 0o644, 0o755

    def __init__(self, run_id: UUID) -> None:
        super().__init__(settings.DATA_DIR / "workspaces" / str(run_id))
        # Root's commands become this user; anybody else's stay who they are, within a user namespace.
        self.owner = FIRST_USER + zlib.crc32(run_id.bytes) % USERS if os.geteuid() == 0 else None

    def room(self, *more: tuple[Path, str]) -> sandboxed_command.Room:
        """The workspace as commands get it."""
        return sandboxed_command.Room(self.root, self.owner or sandboxed_command.NOBODY, more)

    def make(self) -> None:
        """Make it anew, empty."""
        self.remove()
        self.root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # nobody else of this machine comes past it
        self.root.mkdir()
        self.root.chmod(self.folder_mode)  # whatever the umask is: the sandbox is made by us, without our rights
        self._own(self.root)

    def remove(self) -> None:
        """It is gone, with all that is in it; by programs that no depth and no link leads astray."""
        if os.path.lexists(self.root):
            if os.geteuid() != 0:  # what the rights of a folder of ours keep in
                subprocess.run(["chmod", "-R", "u+rwx", "--", str(self.root)], capture_output=True, check=False)
            subprocess.run(["rm", "-rf", "--one-file-system", "--", str(self.root)], capture_output=True, check=False)

    def check(self) -> None:
        """WorkspaceError when it is not on this machine."""
        if not self.root.is_dir():
            raise WorkspaceError(f"The task's workspace is not on this machine ({self.root.name}).")

    def get(self, path: str, most: int) -> bytes:
        """The beginning of a file; WorkspaceError saying why not."""
        try:
            return self.read(inside(path), limit=most)
        except OSError as fault:
            raise WorkspaceError(f"Cannot read {path}: {why(fault)}.") from None

    def put(self, path: str, content: bytes) -> None:
        """Write a file, and the folders that lead to it."""
        try:
            self.write(inside(path), content)
        except OSError as fault:
            raise WorkspaceError(f"Cannot write {path}: {why(fault)}.") from None

    def files(self, beneath: str = ".") -> Iterator[str]:
        """The paths of the files in a folder and those below, in their order; git's own are left out."""
        start = inside(beneath, "root")
        try:
            with self._folder(start) as opened:
                for path, found in walk(opened, skip=frozenset({GIT})):
                    if stat.S_ISREG(found.st_mode):
                        yield f"{start}/{path}" if start else path
        except OSError as fault:
            raise WorkspaceError(f"Cannot list {beneath}: {why(fault)}.") from None
        except TooDeep:
            raise WorkspaceError(f"Cannot list {beneath}: its folders are too deep in each other.") from None

    @contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        """The descriptor of a folder, to which no link leads."""
        with self._parent(f"{path}/{GIT}" if path else GIT) as (folder, _):
            yield folder


def file_path(path: str, field: str = "path") -> str:
    """The path of a file in the one spelling in which the workspace opens it; Invalid for what it would refuse."""
    return checked_path(inside(path, field), field)


def folder_path(path: str, field: str = "path") -> str:
    """The path of a folder in its one spelling; "." for the workspace itself."""
    plain = inside(path, field)
    return checked_path(plain, field) if plain else "."


def inside(path: str, field: str = "path") -> str:
    """The path as it is within the workspace, whose own name commands know; "" for the workspace itself."""
    while (plain := _inside(path, field)) != path:  # "./ x" begins with a blank once its dot is gone
        path = plain
    return plain


def _inside(path: str, field: str) -> str:
    plain = path.strip().replace("\\", "/")
    if plain and any(part and is_blank(part) for part in path.replace("\\", "/").split("/")):
        raise Invalid({field: ["No name in it may be blank."]})
    if plain == sandboxed_command.ROOM or plain.startswith(f"{sandboxed_command.ROOM}/"):
        plain = plain[len(sandboxed_command.ROOM) :].lstrip("/")
    elif plain.startswith("/"):
        raise Invalid({field: [f"Must be a path in the workspace, such as src/main.py, not {path[:100]!r}."]})
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    return "/".join(parts)


def why(fault: OSError) -> str:
    """The system's reason in words."""
    if isinstance(fault, FileNotFoundError):
        return "there is no such file or folder"
    if fault.errno in (40, 20):  # ELOOP, ENOTDIR: a link, which is never followed
        return "a part of the path is a link or no folder"
    return (fault.strerror or str(fault)).lower()
