"""Looks after a command under way: the memory of all that it has started, and the room that it takes on the disk.

Limits of the system count each process by itself; this counts them together, a few times a second. What processes keep
without a name is counted too: files that are deleted and still open, and the sandbox's /tmp, which is memory.
"""

import asyncio
import os
import stat
from contextlib import suppress
from pathlib import Path

from memory.files.trees import TooDeep, walk

EVERY_S = 0.25
PAGE = os.sysconf("SC_PAGE_SIZE")
BLOCK = 512  # bytes: the unit of st_blocks
INODE = 1_024  # bytes of memory that a file of /tmp takes, however small it is
MAX_FILES = 100_000


async def outgrown(pid: int, folder: Path | None, memory: int, disk: int) -> str:
    """memory or disk, once the process and its descendants, or the folder, have more of it than they may."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(EVERY_S)
        if word := await loop.run_in_executor(None, _looked, pid, folder, memory, disk):
            return word


def _looked(pid: int, folder: Path | None, memory: int, disk: int) -> str:
    processes = descendants(pid)
    if resident(processes) + temporary(processes) > memory:
        return "memory"
    used = nameless(processes)
    if folder is not None and used <= disk:
        used += disk_used(folder, disk)
    return "disk" if used > disk else ""


def descendants(pid: int) -> list[int]:
    """The process and all that come of it, whichever of their threads has started them."""
    found, waiting = [], [pid]
    while waiting:
        process = waiting.pop()
        found.append(process)
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{process}/task"):
                with suppress(OSError):
                    children = Path(f"/proc/{process}/task/{thread}/children").read_text()
                    waiting += [int(child) for child in children.split()]
    return found


def resident(processes: list[int]) -> int:
    """Bytes of memory that they hold; nothing where the system does not tell."""
    total = 0
    for process in processes:
        with suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
    return total


def temporary(processes: list[int]) -> int:
    """Bytes of memory that the files of the sandbox's /tmp take; seen from its youngest process."""
    for process in reversed(processes[1:]):
        with suppress(OSError):
            place = os.statvfs(f"/proc/{process}/root/tmp")
            blocks, inodes = place.f_blocks - place.f_bfree, place.f_files - place.f_ffree
            return blocks * place.f_frsize + inodes * INODE
    return 0


def nameless(processes: list[int]) -> int:
    """Bytes of files that are deleted and still open, each counted once."""
    seen: dict[tuple[int, int], int] = {}
    for process in processes:
        with suppress(OSError):
            for number in os.listdir(f"/proc/{process}/fd"):
                with suppress(OSError):
                    found = os.stat(f"/proc/{process}/fd/{number}")
                    if stat.S_ISREG(found.st_mode) and not found.st_nlink:
                        seen[found.st_dev, found.st_ino] = found.st_blocks * BLOCK
    return sum(seen.values())


def disk_used(folder: Path, enough: int) -> int:
    """Bytes on the disk beneath the folder, as far as `enough`; too many files, or too deep ones, count as too many."""
    total = 0
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for count, (_, found) in enumerate(walk(at, open_up=os.geteuid() != 0)):
            total += found.st_blocks * BLOCK
            if total > enough or count > MAX_FILES:
                return enough + 1
    except TooDeep:
        return enough + 1
    finally:
        os.close(at)
    return total
