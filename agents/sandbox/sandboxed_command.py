"""One command under bubblewrap: no network, no environment, nothing of this machine but its system files, bounded.

A command may be given one folder that it can write in, and that outlives it (agents/workspaces/workspace.py).
Where no sandbox can be made nothing runs at all: `unavailable_reason()` says why.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from agents.sandbox import system_calls
from agents.sandbox.bubblewrap import command_line, executable
from agents.sandbox.limits import Limits, Outcome, WorkingFolder
from agents.sandbox.watchdog import wait_for_excess

PROBE_TIMEOUT_S = 10.0  # a sandbox starts in some 20 ms; a machine that is loaded may need seconds
READ_BYTES = 65_536


@contextlib.contextmanager
def _filter() -> Iterator[int]:
    """The descriptor that bubblewrap reads its filter of system calls from; -1 where there is none."""
    descriptor = system_calls.filter_descriptor()
    try:
        yield descriptor
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _probe(nested: bool) -> str:
    """Why this form of sandbox cannot be made here; "" when it can."""
    try:
        with _filter() as filter:
            result = subprocess.run(
                command_line(["/bin/true"], Limits(), filter, nested=nested),
                capture_output=True,
                timeout=PROBE_TIMEOUT_S,
                check=False,
                pass_fds=[filter] if filter >= 0 else [],
            )
    except (OSError, subprocess.TimeoutExpired) as fault:
        return f"bubblewrap does not start: {fault}"
    if result.returncode != 0:
        return f"bubblewrap cannot make a sandbox here: {result.stderr.decode(errors='replace').strip()[:200]}"
    return ""


@cache
def _can_nest() -> bool:
    """Whether a user that is not root may make a user namespace here: a kernel or container may forbid it."""
    return not _probe(nested=True)


def has_user_namespace() -> bool:
    """Whether commands have a user namespace of their own: not where root's worker may not give one to another user."""
    return os.geteuid() != 0 or _can_nest()


@cache
def unavailable_reason() -> str:
    """Why no sandbox can be made here; "" when one can."""
    if not executable():
        return "bubblewrap is not installed; on Debian: apt-get install bubblewrap"
    return _probe(nested=_can_nest())


async def run(
    argv: list[str], stdin: bytes = b"", limits: Limits | None = None, folder: WorkingFolder | None = None
) -> Outcome:
    """The command's outcome; it and all that it started are gone afterwards, also when the caller is cancelled."""
    limits = limits or Limits()
    with _filter() as filter:
        process = await asyncio.create_subprocess_exec(
            *command_line(argv, limits, filter, folder, nested=_can_nest()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={},
            start_new_session=True,
            pass_fds=[filter] if filter >= 0 else [],
        )
    assert process.stdin and process.stdout and process.stderr
    readers = [asyncio.create_task(_read(stream, limits.output)) for stream in (process.stdout, process.stderr)]
    writer = asyncio.create_task(_write(process.stdin, stdin))
    try:
        stop_reason = await _wait(process, limits, folder.path if folder else None)
    finally:
        writer.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # bwrap's child dies with it, and the pid namespace with that
        await process.wait()
    (out, more_out), (err, more_err) = await asyncio.gather(*readers)
    returncode = None if stop_reason else process.returncode
    return Outcome(returncode, out, err, more_out or more_err, stop_reason)


async def _wait(process: asyncio.subprocess.Process, limits: Limits, folder: Path | None) -> str:
    """The limit that the process has exceeded: time, memory or disk; "" once it has ended by itself."""
    watch = asyncio.create_task(wait_for_excess(process.pid, folder, limits.memory_in_all, limits.disk))
    end = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({end, watch}, timeout=limits.wall_s, return_when=asyncio.FIRST_COMPLETED)
        return "" if end.done() else (watch.result() if watch.done() else "time")
    finally:
        watch.cancel()


async def _write(stream: asyncio.StreamWriter, content: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(content)
        await stream.drain()
        stream.close()


async def _read(stream: asyncio.StreamReader, max_bytes: int) -> tuple[bytes, bool]:
    """(the first `max_bytes` of the stream, whether there was more). Reads to the end, so that no writer blocks."""
    content, has_more = bytearray(), False
    while part := await stream.read(READ_BYTES):
        remaining = max_bytes - len(content)
        has_more = has_more or len(part) > remaining
        content += part[: max(remaining, 0)]
    return bytes(content), has_more
