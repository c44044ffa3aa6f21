"""A task's workspace: a folder of DATA_DIR that only its commands, in the sandbox, and its file tools reach.

Commands run as a user of the workspace's own, and may put anything into it: links, pipes, files that change while they
are read. So nothing here follows a link, waits for a pipe, or trusts a size (RELIABILITY S5).
"""

import errno
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
from agents.sandbox.bubblewrap import FIRST_USER, NOBODY, USERS
from agents.sandbox.limits import WorkingFolder
from agents.workspaces.paths import relative_path
from memory.files.paths import Folder
from memory.files.trees import TooDeep, walk

GIT = ".git"
FOLDER = "workspaces"  # of DATA_DIR


class Workspace(Folder):
    """The workspace of the task with this run."""

    mode, folder_mode = 0o644, 0o755

    def __init__(self, run_id: UUID) -> None:
        super().__init__(settings.DATA_DIR / FOLDER / str(run_id))
        # Root's commands become this user; anybody else's stay who they are, within a user namespace.
        self.owner = FIRST_USER + zlib.crc32(run_id.bytes) % USERS if os.geteuid() == 0 else None

    def working_folder(self, *read_only: tuple[Path, str]) -> WorkingFolder:
        """The workspace as the sandbox takes it, and (folder, where commands find it) of others that they may read."""
        return WorkingFolder(self.root, self.owner or NOBODY, read_only)

    def create(self) -> None:
        """Make the folder, empty; an earlier one of the same run is removed."""
        self.remove()
        self.root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # nobody else of this machine comes past it
        self.root.mkdir()
        self.root.chmod(self.folder_mode)  # whatever the umask is: the sandbox is made by us, without our rights
        self._own(self.root)

    def remove(self) -> None:
        """Remove the folder with all that is in it, by programs that no depth and no link leads astray."""
        if os.path.lexists(self.root):
            if os.geteuid() != 0:  # folders of ours whose mode keeps us out
                subprocess.run(["chmod", "-R", "u+rwx", "--", str(self.root)], capture_output=True, check=False)
            subprocess.run(["rm", "-rf", "--one-file-system", "--", str(self.root)], capture_output=True, check=False)

    def check(self) -> None:
        """WorkspaceError when the folder is not on this machine."""
        if not self.root.is_dir():
            raise WorkspaceError(f"The task's workspace is not on this machine ({self.root.name}).")

    def read_file(self, path: str, max_bytes: int) -> bytes:
        """The first `max_bytes` of a file; WorkspaceError with the reason why it cannot be read."""
        try:
            return self.read(relative_path(path), limit=max_bytes)
        except OSError as fault:
            raise WorkspaceError(f"Cannot read {path}: {reason(fault)}.") from None

    def write_file(self, path: str, content: bytes) -> None:
        """Write a file, and make the folders that lead to it; WorkspaceError with the reason why it cannot be."""
        try:
            self.write(relative_path(path), content)
        except OSError as fault:
            raise WorkspaceError(f"Cannot write {path}: {reason(fault)}.") from None

    def files(self, folder: str = ".") -> Iterator[str]:
        """The paths of the files in a folder and those below it, sorted, without git's own."""
        start = relative_path(folder, "root")
        try:
            with self._descriptor(start) as descriptor:
                for path, file in walk(descriptor, skip=frozenset({GIT})):
                    if stat.S_ISREG(file.st_mode):
                        yield f"{start}/{path}" if start else path
        except OSError as fault:
            raise WorkspaceError(f"Cannot list {folder}: {reason(fault)}.") from None
        except TooDeep:
            raise WorkspaceError(f"Cannot list {folder}: its folders are too deep in each other.") from None

    @contextmanager
    def _descriptor(self, folder: str) -> Iterator[int]:
        """The descriptor of a folder that is reached without following a link."""
        with self._parent(f"{folder}/{GIT}" if folder else GIT) as (descriptor, _):
            yield descriptor


def reason(fault: OSError) -> str:
    """The system's reason in words."""
    if isinstance(fault, FileNotFoundError):
        return "there is no such file or folder"
    if fault.errno in (errno.ELOOP, errno.ENOTDIR):  # a link, which is never followed
        return "a part of the path is a link or no folder"
    return (fault.strerror or str(fault)).lower()
