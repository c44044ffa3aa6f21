"""What the terminal shows: the launcher's lines, programs that end and start again, their warnings and errors."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

IMPORTANT = re.compile(r"\b(WARN|WARNING|ERROR|CRITICAL|FATAL)\b|^\S*(Error|Exception): ")
# PostgreSQL's ERRORs are answers to its clients, which log them themselves; Redis has levels of its own.
IMPORTANT_OF = {
    "postgres": re.compile(r"\b(FATAL|PANIC):"),
    "redis": re.compile(r"\b(WARNING|MISCONF|[Ee]rror|[Ff]atal)\b"),
}
# Redis prints these at every start, and the web server the last one before its workers are up.
NOISE = re.compile(
    r"overcommit_memory|Transparent Huge Pages|maximum open files|TCP backlog|Service Unavailable: /readyz"
)
SPAWN_LINE = re.compile(r"spawned: '(\S+)' with pid (\d+)")
EXIT_LINE = re.compile(r"exited: (\S+) \((?:terminated by (SIG\w+)|exit status (\d+))")
STOP_LINE = re.compile(r"stopped: (\S+) ")
WIDTH = 9


def print_line(text: str, name: str = "regente") -> None:
    """One line on the terminal, under the name of the program it comes from."""
    print(f"{name:<{WIDTH}} | {text}", flush=True)


class LogFile:
    """Reads what is added to a log file from now on, across its rotation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: BinaryIO | None = None
        self.start = path.stat().st_size if path.exists() else 0
        self.rest = b""

    def lines(self) -> Iterator[str]:
        """The whole lines added since the last call."""
        if self.file is None and self.path.exists():
            self.file = self.path.open("rb")
            self.file.seek(self.start)
        if self.file is None:
            return
        yield from self._read(self.file)
        if self.path.exists() and self.path.stat().st_ino != os.fstat(self.file.fileno()).st_ino:
            yield from self._read(self.file)
            self.file.close()
            self.file, self.start = None, 0

    def _read(self, file: BinaryIO) -> Iterator[str]:
        *whole, self.rest = (self.rest + file.read()).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").rstrip()


class ImportantLines:
    """Picks the lines of one program that a person must see: warnings, errors, and of a traceback its last line."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.log = LogFile(path)
        self.pattern = IMPORTANT_OF.get(name, IMPORTANT)
        self.in_traceback = False

    def read(self) -> Iterator[str]:
        """Those added since the last call."""
        return filter(self._is_important, self.log.lines())

    def _is_important(self, line: str) -> bool:
        if self.in_traceback:
            self.in_traceback = not line or line[0].isspace()
            return not self.in_traceback
        self.in_traceback = "Traceback (most recent call last)" in line
        return not self.in_traceback and bool(self.pattern.search(line) and not NOISE.search(line))


class Watcher:
    """Prints programs' important lines, and from supervisord's log which of them ended and started again."""

    def __init__(self, folder: Path, names: list[str], after_death: Callable[[int], None]) -> None:
        self.supervisord = LogFile(folder / "supervisord.log")
        self.programs = [ImportantLines(name, folder / f"{name}.log") for name in names]
        self.after_death = after_death
        self.pids: dict[str, int] = {}
        self.exits: dict[str, str] = {}

    def look(self, stopping: bool = False) -> None:
        """Print what is new. While the product stops, complaints about lost servers stay in the logs."""
        for program in self.programs:
            for line in program.read():
                if not stopping:
                    print_line(line, program.name)
        for line in self.supervisord.lines():
            if match := SPAWN_LINE.search(line):
                self._on_spawn(match[1], int(match[2]))
            elif match := EXIT_LINE.search(line):
                self._on_exit(match[1], match[2], match[3])
            elif match := STOP_LINE.search(line):
                self.pids.pop(match[1], None)

    def _on_spawn(self, name: str, pid: int) -> None:
        if reason := self.exits.pop(name, ""):
            print_line(f"{name} {reason}; started again as pid {pid}")
        self.pids[name] = pid

    def _on_exit(self, name: str, killed_by: str | None, status: str) -> None:
        pid = self.pids.pop(name, 0)
        reason = f"ended by signal {int(signal.Signals[killed_by])}" if killed_by else f"ended with status {status}"
        self.exits[name] = f"(pid {pid}) {reason}"
        if pid:
            self.after_death(pid)
