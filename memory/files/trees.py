"""Walks a folder that others write in while we look: no link is followed, and no depth is too deep."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

MAX_DEPTH = 100  # folders in each other; each holds a descriptor while we are in it
FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class TooDeep(Exception):
    """There are more folders in each other than anybody needs."""


def walk(
    folder: int, skip: frozenset[str] = frozenset(), open_up: bool = False
) -> Iterator[tuple[str, os.stat_result]]:
    """(path, what it is) of all that is beneath the open folder, in the order of names; what is gone by then is left
    out. `open_up`: what keeps us from looking into a folder of our own is taken away. Raises TooDeep.
    """
    levels = [_Level(os.dup(folder), "")]
    try:
        while levels:
            level = levels[-1]
            if not level.names:
                os.close(levels.pop().fd)
                continue
            name = level.names.pop()
            path = f"{level.path}/{name}" if level.path else name
            with suppress(OSError):
                status = os.stat(name, dir_fd=level.fd, follow_symlinks=False)
                yield path, status
                if stat.S_ISDIR(status.st_mode) and name not in skip:
                    if len(levels) > MAX_DEPTH:
                        raise TooDeep(path)
                    levels.append(_Level(_open(level.fd, name, open_up), path))
    finally:
        for level in levels:
            os.close(level.fd)


class _Level:
    """A folder that we are in, and what is left to look at of it."""

    def __init__(self, fd: int, path: str) -> None:
        self.fd, self.path = fd, path
        try:
            self.names = sorted(os.listdir(fd), reverse=True)
        except OSError:
            self.names = []


def _open(parent: int, name: str, open_up: bool) -> int:
    try:
        return os.open(name, FLAGS, dir_fd=parent)
    except PermissionError:
        if not open_up:
            raise
    # By the descriptor: what the name stands for may be another thing a moment later.
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{handle}", 0o700)
    finally:
        os.close(handle)
    return os.open(name, FLAGS, dir_fd=parent)
