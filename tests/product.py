"""The whole product, started as a user starts it, for tests that go through its front door or kill its parts."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from config import embedded_servers

MARK = "REGENTE_TEST_MARK"  # every process of one product carries it, orphans too
NOT_INHERITED = ("MAKE", "REGENTE_", "DATABASE_URL", "REDIS_URL", "SECRET_KEY")  # it makes its own
GENEROUS = {f"RATE_LIMIT_{what}": "100000" for what in ("IP", "USER", "API_KEY", "TENANT", "TASKS", "LOGIN", "LLM")}
GENEROUS["OFFLINE_WORDS_PER_S"] = "0"


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


class Product:
    """One running launcher and what it prints."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.data_dir = data_dir
        self.mark = uuid.uuid4().hex
        self.port = environment.setdefault("PORT", str(free_port()))
        self.url = f"http://127.0.0.1:{self.port}"
        self.output: list[str] = []
        self.silent = False
        self.news = threading.Condition()
        own = {"DATA_DIR": str(data_dir), MARK: self.mark, "OUTBOUND_ALLOW": "127.0.0.1", "TASKS_ANONYMOUS": "1"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.launch"],
            cwd=embedded_servers.BASE_DIR,
            env=kept | GENEROUS | own | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self.news:
                self.output.append(line.rstrip())
                self.news.notify_all()
        with self.news:
            self.silent = True
            self.news.notify_all()

    def says(self, pattern: str, patience_s: float = 90.0, after: int = 0) -> re.Match[str]:
        """The first printed line that the pattern is found in, waited for; `after` skips that many lines."""
        end = time.monotonic() + patience_s
        with self.news:
            while True:
                for line in self.output[after:]:
                    if match := re.search(pattern, line):
                        return match
                assert not self.silent, f"ended without {pattern!r}:\n{self}"
                assert self.news.wait(max(0.0, end - time.monotonic())), f"{pattern!r} was not said:\n{self}"

    def ready(self) -> "Product":
        """This product, once it has said `ready`."""
        self.says(r"^ready ")
        return self

    def pid_of(self, name: str) -> int:
        """The pid of one of supervisord's programs, or of supervisord itself."""
        log = (self.data_dir / "log" / "supervisord.log").read_text()
        if name == "supervisord":
            return int(re.findall(r"supervisord started with pid (\d+)", log)[-1])
        return int(re.findall(rf"spawned: '{name}' with pid (\d+)", log)[-1])

    def processes(self) -> list[psutil.Process]:
        """All living processes of this product, orphans too, without the dead that nobody has buried."""
        return [process for process in psutil.process_iter() if self._is_mine(process)]

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def wait_gone(self, patience_s: float = 40.0) -> None:
        """Come back when no process of this product lives."""
        left = self.processes()
        _, alive = psutil.wait_procs(left, timeout=patience_s)
        assert not alive, f"still there: {[(one.pid, one.cmdline()) for one in alive]}\n{self}"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The launcher's exit status after the signal."""
        self.process.send_signal(number)
        status = self.process.wait(60)
        self.reader.join(10)
        return status

    def __str__(self) -> str:
        return "\n".join(self.output)


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """A folder for a product, gone afterwards. Not below pytest's own: each pytest that starts closes that to others,
    and as root PostgreSQL runs under another account."""
    with tempfile.TemporaryDirectory(prefix="regente-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def started(data_dir: Path, **environment: str) -> Iterator[Product]:
    """A product on this data folder; whatever the test leaves of it is ended."""
    product = Product(data_dir, **environment)
    try:
        yield product
    finally:
        if product.process.poll() is None:
            product.stop()
        for left in product.processes():
            left.kill()
