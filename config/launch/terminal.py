"""What a person at the terminal sees: the launcher's words, deaths and new starts, programs' warnings and errors."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

IMPORTANT = re.compile(r"\b(WARN|WARNING|ERROR|CRITICAL|FATAL)\b|^\S*(Error|Exception): ")
# PostgreSQL's ERRORs are answers to its clients, who tell them themselves; Redis has words of its own.
IMPORTANT_OF = {
    "postgres": re.compile(r"\b(FATAL|PANIC):"),
    "redis": re.compile(r"\b(WARNING|MISCONF|[Ee]rror|[Ff]atal)\b"),
}
# What Redis says at every start, and a web server that is asked before its workers are up.
NOISE = re.compile(
    r"overcommit_memory|Transparent Huge Pages|maximum open files|TCP backlog|Service Unavailable: /readyz"
)
SPAWNED = re.compile(r"spawned: '(\S+)' with pid (\d+)")
EXITED = re.compile(r"exited: (\S+) \((?:terminated by (SIG\w+)|exit status (\d+))")
GONE = re.compile(r"stopped: (\S+) ")
WIDTH = 9


def say(text: str, name: str = "regente") -> None:
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
    """Follows the logs: tells a program's important lines, and from supervisord's own log who died and lives again."""

    def __init__(self, folder: Path, names: list[str], after_death: Callable[[int], None]) -> None:
        self.supervisord = LogFile(folder / "supervisord.log")
        self.programs = [ImportantLines(name, folder / f"{name}.log") for name in names]
        self.after_death = after_death
        self.pids: dict[str, int] = {}
        self.ended: dict[str, str] = {}

    def look(self, stopping: bool = False) -> None:
        """Tell what is new. Complaints that servers go away are expected while we stop, and left to the log files."""
        for program in self.programs:
            for line in program.read():
                if not stopping:
                    say(line, program.name)
        for line in self.supervisord.lines():
            if spawned := SPAWNED.search(line):
                self._spawned(spawned[1], int(spawned[2]))
            elif exited := EXITED.search(line):
                self._exited(exited[1], exited[2], exited[3])
            elif gone := GONE.search(line):
                self.pids.pop(gone[1], None)

    def _spawned(self, name: str, pid: int) -> None:
        if how := self.ended.pop(name, ""):
            say(f"{name} {how}; started again as pid {pid}")
        self.pids[name] = pid

    def _exited(self, name: str, killed_by: str | None, status: str) -> None:
        pid = self.pids.pop(name, 0)
        how = f"ended by signal {int(signal.Signals[killed_by])}" if killed_by else f"ended with status {status}"
        self.ended[name] = f"(pid {pid}) {how}"
        if pid:
            self.after_death(pid)
