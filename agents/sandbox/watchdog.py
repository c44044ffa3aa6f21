"""Watches a running command: the memory of all its processes together, and the disk space that it takes.

Limits of the system count each process by itself; this counts them together, a few times a second. Space without a name
counts too: files that are deleted and still open, and the sandbox's /tmp, which is memory.
"""

import asyncio
import os
import stat
from contextlib import suppress
from pathlib import Path

from memory.files.trees import TooDeep, walk

INTERVAL_S = 0.25
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
BLOCK_BYTES = 512  # the unit of st_blocks
INODE_BYTES = 1_024  # of memory, for each file of /tmp, however small it is
MAX_FILES = 100_000  # of a working folder: counting more would take longer than the interval


async def wait_for_excess(pid: int, folder: Path | None, memory: int, disk: int) -> str:
    """Returns memory or disk, once the process and its descendants, or the folder, have more of it than these bytes."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(INTERVAL_S)
        if resource := await loop.run_in_executor(None, _excess, pid, folder, memory, disk):
            return resource


def _excess(pid: int, folder: Path | None, memory: int, disk: int) -> str:
    processes = descendants(pid)
    if resident_bytes(processes) + tmpfs_bytes(processes) > memory:
        return "memory"
    used = unlinked_bytes(processes)
    if folder is not None and used <= disk:
        used += folder_bytes(folder, disk)
    return "disk" if used > disk else ""


def descendants(pid: int) -> list[int]:
    """The process and its descendants, whichever of their threads has started them."""
    result, queue = [], [pid]
    while queue:
        process = queue.pop()
        result.append(process)
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{process}/task"):
                with suppress(OSError):
                    children = Path(f"/proc/{process}/task/{thread}/children").read_text()
                    queue += [int(child) for child in children.split()]
    return result


def resident_bytes(processes: list[int]) -> int:
    """The memory that the processes hold; 0 for those that the system shows nothing of."""
    total = 0
    for process in processes:
        with suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE_BYTES
    return total


def tmpfs_bytes(processes: list[int]) -> int:
    """The memory that the files of the sandbox's /tmp take, read through its youngest process."""
    for process in reversed(processes[1:]):
        with suppress(OSError):
            tmp = os.statvfs(f"/proc/{process}/root/tmp")
            blocks, inodes = tmp.f_blocks - tmp.f_bfree, tmp.f_files - tmp.f_ffree
            return blocks * tmp.f_frsize + inodes * INODE_BYTES
    return 0


def unlinked_bytes(processes: list[int]) -> int:
    """The disk space of files that are deleted and still open, each counted once."""
    sizes: dict[tuple[int, int], int] = {}
    for process in processes:
        with suppress(OSError):
            for number in os.listdir(f"/proc/{process}/fd"):
                with suppress(OSError):
                    file = os.stat(f"/proc/{process}/fd/{number}")
                    if stat.S_ISREG(file.st_mode) and not file.st_nlink:
                        sizes[file.st_dev, file.st_ino] = file.st_blocks * BLOCK_BYTES
    return sum(sizes.values())


def folder_bytes(folder: Path, limit: int) -> int:
    """The disk space beneath the folder; more than `limit` as soon as it is exceeded, or there are too many files, or
    folders too deep in each other, to count.
    """
    total = 0
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for count, (_, file) in enumerate(walk(descriptor, open_up=os.geteuid() != 0)):
            total += file.st_blocks * BLOCK_BYTES
            if total > limit or count > MAX_FILES:
                return limit + 1
    except TooDeep:
        return limit + 1
    finally:
        os.close(descriptor)
    return total
