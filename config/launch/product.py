"""The launcher: takes the data folder and the port, starts everything, prints when it is ready, watches, stops it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from config import embedded_servers
from config.env import env_text
from config.launch import command_lines, lock, orphans, supervisor
from config.launch.servers import startup
from config.launch.terminal import Watcher, print_line
from config.launch.web import listen_address

LOOK_S = 0.1
NOT_READY_S = 60.0
ORPHAN_PATIENCE_S = 30.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop(Exception):
    """A signal asked the launcher to stop."""


class Failed(SystemExit):
    """The product could not be started, or its supervisor is gone."""


class Launcher:
    """One running product: `run` returns when it has been stopped, and raises SystemExit when it could not go on."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.began = time.monotonic()
        self.names: list[str] = [*supervisor.product(), "prepare"]
        self.watcher: Watcher | None = None
        self.daemon: subprocess.Popen[bytes] | None = None
        self.preparing: subprocess.Popen[str] | None = None
        self.credentials: dict[str, dict[str, str]] = {}
        self.started = self.ready = False

    def run(self) -> None:
        """Everything, from the lock to the last process ended."""
        startup.make_folders(self.data_dir)
        with lock.acquire(self.data_dir) as lock_fd, ExitStack() as at_end:
            listen_address.refuse_used(command_lines.host(), command_lines.port())
            at_end.callback(self._stop)
            for number in SIGNALS:
                signal.signal(number, _raise_stop)
            try:
                self._start(lock_fd)
                self._watch()
            except Stop:
                print_line("stopping")
            finally:
                for number in SIGNALS:
                    signal.signal(number, lambda *_: None)

    def _start(self, lock_fd: int) -> None:
        """The servers are up and the database is being made ready; the product too when no migration is due."""
        self._start_preparing()  # its imports take as long as the servers' start
        servers = startup.prepare(self.data_dir)
        self.watcher = Watcher(
            self.data_dir / "log", [*self.names, *(server.name for server in servers)], self._after_death
        )
        self.daemon = supervisor.start(self.data_dir, servers, lock_fd)
        for server in servers:
            startup.wait_ready(server, self._wake_and_check)
        if servers:
            print_line(f"{' and '.join(server.name for server in servers)} ready after {self._age()}")
        assert self.preparing and self.preparing.stdin
        self.preparing.stdin.close()  # what it waits for
        if not env_text("DATABASE_URL") and command_lines.is_migrated(self.data_dir):
            self._start_product()

    def _start_preparing(self) -> None:
        demo = (
            [] if env_text("DATABASE_URL") else ["--demo"]
        )  # an operator's own database gets no accounts with known passwords
        command = orphans.tie_to_parent([sys.executable, "-m", "config.launch.prepare", "--wait", *demo])
        with (self.data_dir / "log" / "prepare.log").open("wb") as log:
            self.preparing = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=embedded_servers.BASE_DIR,
                start_new_session=True,
            )

    def _start_product(self) -> None:
        self.started = True
        end = time.monotonic() + NOT_READY_S
        while True:
            try:
                supervisor.call(self.data_dir, "startProcessGroup", supervisor.PRODUCT, False)
                return
            except OSError:  # supervisord listens a moment after its start
                if not self._looks_alive() or time.monotonic() > end:
                    raise Failed("supervisord does not answer; see DATA_DIR/log/supervisord.log.") from None
                time.sleep(0.02)

    def _watch(self) -> None:
        """Looks at everything ten times a second, until a signal."""
        assert self.watcher
        reported_at = time.monotonic()
        while True:
            self.watcher.look()
            if not self._looks_alive():
                raise Failed("supervisord was ended from outside: stopped everything. Start again with `make run`.")
            if self.preparing and self.preparing.poll() is not None:
                self._finish_preparing(self.preparing)
            if not self.ready and not self.preparing:
                answer = listen_address.readiness()
                self.ready = answer == listen_address.READY
                if self.ready:
                    self._print_ready()
                elif time.monotonic() > reported_at + NOT_READY_S:
                    print_line(f"not ready yet, after {self._age()}: {answer}")
                    reported_at = time.monotonic()
            time.sleep(LOOK_S)

    def _finish_preparing(self, process: subprocess.Popen[str]) -> None:
        """The product is started, if it waited for the migrations."""
        assert process.stdout
        output, self.preparing = process.stdout.read(), None
        if process.returncode:
            last = (self.data_dir / "log" / "prepare.log").read_text(errors="replace").splitlines()[-15:]
            if process.returncode == command_lines.CONFIG_ERROR:
                raise Failed(last[-1])
            raise Failed("\n".join([*last, "The database could not be made ready (the lines above say why)."]))
        self.credentials = json.loads(output.splitlines()[-1])
        if not self.started:
            print_line(f"database ready after {self._age()}")
            self._start_product()
        if shutil.which("bwrap") is None:
            print_line(
                "bubblewrap is missing: commands of code tasks will be refused (Debian: apt-get install bubblewrap)"
            )

    def _print_ready(self) -> None:
        """Print the addresses and credentials; the URL stays in DATA_DIR/run/url while the product runs."""
        url = listen_address.url()
        (self.data_dir / "run" / "url").write_text(f"{url}\n")
        print(f"ready {url} {self._credentials('demo')}after {self._age()}", flush=True)
        print_line(f"API documentation {url}/docs")
        print_line(f"admin {url}/admin/ {self._credentials('operator')}".rstrip())
        print_line(f"guide {embedded_servers.BASE_DIR / 'README.md'}: five minutes to a first result")

    def _credentials(self, account: str) -> str:
        values = ", ".join(f"{name} {value}" for name, value in self.credentials.get(account, {}).items())
        return f"({values}) " if values else ""

    def _age(self) -> str:
        return f"{time.monotonic() - self.began:.1f} s"

    def _looks_alive(self) -> bool:
        """True while supervisord runs."""
        return self.daemon is not None and self.daemon.poll() is None

    def _wake_and_check(self) -> bool:
        """The same, after waking it: by itself supervisord looks at its programs once a second."""
        supervisor.wake(self.data_dir)
        return self._looks_alive()

    def _after_death(self, pid: int) -> None:
        """What the dead program left running is ended before supervisord, woken, starts it again."""
        orphans.end_group(pid)
        supervisor.wake(self.data_dir)

    def _stop(self) -> None:
        """No process of ours is left: first the product's programs, then the servers; supervisord sees to the order."""
        (self.data_dir / "run" / "url").unlink(missing_ok=True)
        if self.preparing:
            self.preparing.kill()
            self.preparing.wait()
        if self.daemon is None or self.watcher is None:
            return
        if self._looks_alive():
            self.daemon.terminate()
            while self._wake_and_check():
                self.watcher.look(stopping=True)
                time.sleep(LOOK_S)
            print_line("stopped")
        else:
            self._end_orphans(self.watcher)

    def _end_orphans(self, watcher: Watcher) -> None:
        """supervisord was killed: the kernel signalled its programs (on Linux), the others are ended here."""
        watcher.look(stopping=True)
        for name, pid in watcher.pids.items():
            if name in self.names:
                orphans.end_group(pid)
            else:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM if name == "redis" else signal.SIGINT)
        end = time.monotonic() + ORPHAN_PATIENCE_S
        while any(map(orphans.is_alive, watcher.pids.values())) and time.monotonic() < end:
            time.sleep(0.05)


def _raise_stop(number: int, frame: object) -> None:
    for other in SIGNALS:
        signal.signal(other, lambda *_: None)  # once is enough
    raise Stop


def run(data_dir: Path) -> None:
    """Run the whole product until a signal stops it."""
    os.environ["DATA_DIR"] = str(data_dir)
    os.environ[orphans.PARENT] = str(os.getpid())
    if "MAKELEVEL" in os.environ:
        orphans.die_with_parent(signal.SIGTERM)  # when make is killed the product stops, in order
    os.umask(0o077)
    Launcher(data_dir).run()
