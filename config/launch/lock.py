"""One launcher per data folder: locks that the kernel releases when their last holder ends, even by `kill -9`."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

STOP_PATIENCE_S = 60.0


class DataDirInUse(SystemExit):
    """Another launcher holds the data folder, or what it left does."""


@contextmanager
def acquire(data_dir: Path) -> Iterator[int]:
    """Hold the data folder inside; DataDirInUse when another launcher holds it.

    Yields the descriptor of a second lock, for the supervisor to inherit: while it still stops the programs of a
    launcher that was killed, the next launcher waits.
    """
    with _file(data_dir).open("a+") as own, (data_dir / "run" / "lock").open("a") as programs:
        if not _try(own):
            raise DataDirInUse(
                f"The data folder {data_dir} is in use by process {_holder(own)}: stop that one first, "
                "or set DATA_DIR to another folder."
            )
        own.truncate(0)
        own.write(f"{os.getpid()}\n")
        own.flush()
        _wait_for(programs)
        yield programs.fileno()


def is_held(data_dir: Path) -> bool:
    """True while a launcher uses this folder."""
    if not _file(data_dir).exists():
        return False
    with _file(data_dir).open("a+") as file:
        return not _try(file)


def _file(data_dir: Path) -> Path:
    return data_dir / "lock"


def _holder(file: TextIO) -> str:
    file.seek(0)
    return file.read().strip()


def _try(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for(programs: TextIO) -> None:
    if _try(programs):
        return
    print("An earlier launcher of this data folder was killed; waiting for its programs to stop.", flush=True)
    end = time.monotonic() + STOP_PATIENCE_S
    while not _try(programs):
        if time.monotonic() > end:
            raise DataDirInUse(
                f"Its programs still run after {STOP_PATIENCE_S:.0f} s; end the supervisord of this folder."
            )
        time.sleep(0.1)
