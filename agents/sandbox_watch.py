"""Looks after a command under way: the memory of all that it has started, and the size of the folder it writes in.

Limits of the system count each process by itself; this counts them together, a few times a second.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

EVERY_S = 0.25
PAGE = os.sysconf("SC_PAGE_SIZE")
BLOCK = 512  # bytes: the unit of st_blocks
FILES_MOST = 100_000


async def outgrown(pid: int, folder: Path | None, memory: int, disk: int) -> str:
    """memory or disk, once the process and its descendants, or the folder, have more of it than they may."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(EVERY_S)
        if resident(pid) > memory:
            return "memory"
        if folder is not None and await loop.run_in_executor(None, disk_used, folder, disk) > disk:
            return "disk"


def resident(pid: int) -> int:
    """Bytes of memory that the process and its descendants hold; nothing where the system does not tell."""
    total, waiting = 0, [pid]
    while waiting:
        process = waiting.pop()
        with suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
        with suppress(OSError, ValueError):
            waiting += [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return total


def disk_used(folder: Path, enough: int) -> int:
    """Bytes on the disk beneath the folder, as far as `enough`; too many files count as too many bytes."""
    total = files = 0
    for _, folders, names, at in os.fwalk(folder, onerror=None):
        files += len(names) + len(folders)
        for name in names:
            with suppress(OSError):
                total += os.stat(name, dir_fd=at, follow_symlinks=False).st_blocks * BLOCK
        if total > enough or files > FILES_MOST:
            return enough + 1
    return total
