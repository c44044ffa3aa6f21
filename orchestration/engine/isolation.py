"""A process apart for runs that are suspected to kill their workers (run_info.SUSPECT_DEATHS).

An engine that sees a suspect waiting starts `python -m orchestration.engine.solitary_process`: an engine that runs
suspects and nothing else, so that a death there hurts nobody. Suspects run there together, as most of them are
innocent; those that were in it when it died run there one at a time, and a death is their own doing. A suspect that
finishes a step is none any more: the other engines take it before its next step. The process ends when no suspect is
left, or when the engine that started it drains.
"""

import contextlib
import logging
import subprocess
import sys
from typing import Protocol

from django.conf import settings

from config.embedded_servers import BASE_DIR

log = logging.getLogger(__name__)
MAX_SUSPECTS = 100  # that run together
IDLE_S = 5.0  # without a suspect for so long the process ends
STOP = b"stop"  # on its standard input
EXIT_S = 8.0  # for the end of the process, after its engine has drained


class Isolation(Protocol):
    """Where an engine's suspects are run."""

    def start(self) -> None:
        """A suspect waits."""

    def stop(self) -> None:
        """The engine drains."""


class SolitaryProcess:
    """The solitary process of one engine, while there is one."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.process is not None and self.process.poll() is None:
            return
        log.warning("a run has seen its worker die twice; it goes on in a process apart")
        command = [sys.executable, "-m", "orchestration.engine.solitary_process"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=BASE_DIR)

    def stop(self) -> None:
        """Let it drain and end."""
        if self.process is None or self.process.stdin is None:
            return
        with contextlib.suppress(OSError):  # it has ended by itself
            self.process.stdin.write(STOP)
            self.process.stdin.close()
        try:
            self.process.wait(settings.ENGINE_DRAIN_S + EXIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
