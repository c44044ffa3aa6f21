"""What a sandboxed command may use, the folder that it works in, and its outcome."""

from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
WORKSPACE = "/workspace"  # where the command finds its working folder


@dataclass(frozen=True)
class Limits:
    """`memory`, `cpu_s` and `file_size` are per process, `memory_in_all` and `disk` of all processes of the command and
    of its working folder together; a command that exceeds one of those two is stopped. Sizes are bytes.
    """

    wall_s: float = 10.0
    cpu_s: int = 10
    memory: int = 256 * MIB
    file_size: int = 64 * MIB
    processes: int = 32
    output: int = 1 * MIB
    memory_in_all: int = 512 * MIB
    disk: int = 1024 * MIB


@dataclass(frozen=True)
class WorkingFolder:
    """A folder of ours that the command works in, and the user that owns it there; `read_only` are (folder, where the
    command finds it) of further ones that it may read.
    """

    path: Path
    user: int
    read_only: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """`returncode` is None for a command that was stopped; `stop_reason` is then time, memory or disk."""

    returncode: int | None
    stdout: bytes
    stderr: bytes
    output_truncated: bool  # there was more output than Limits.output
    stop_reason: str = ""
