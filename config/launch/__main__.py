"""`python -m config.launch`: the whole product. With a part's name (web, worker, scheduler, prepare): that part alone,
as in a container. `check PART` says whether it works here, `pid PART` prints its process under `make run`.
`exec [--temporary] -- COMMAND`: a command with the embedded servers up.
"""

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from config import embedded_servers
from config.launch import command_lines, lock
from config.launch.servers import startup

PARTS = {"web": command_lines.web, "worker": command_lines.worker, "scheduler": command_lines.scheduler}
USAGE = """usage: python -m config.launch
    [web | worker | scheduler | prepare | check PART | pid PART | exec [--temporary] -- COMMAND …]"""


def main(arguments: list[str]) -> None:
    """Do what the arguments say."""
    match arguments:
        case []:
            from config.launch import product

            product.run(embedded_servers.data_dir())
        case [part] if part in PARTS:
            command = PARTS[part]()
            os.chdir(embedded_servers.BASE_DIR)
            os.execv(command[0], command)
        case ["prepare", *rest]:
            from config.launch import prepare

            sys.argv = ["prepare", *rest]
            prepare.main()
        case ["pid", part] if part in PARTS:
            from config.launch import supervisor

            print(supervisor.pid(embedded_servers.data_dir(), part))
        case ["check", part] if part in PARTS:
            from config.launch.check import check

            sys.exit(check(part) or 0)
        case ["exec", "--temporary", "--", *command] if command:
            sys.exit(execute(startup.temporary(), command))
        case ["exec", "--", *command] if command:
            sys.exit(execute(_present(embedded_servers.data_dir()), command))
        case _:
            sys.exit(USAGE)


def _present(data_dir: Path) -> AbstractContextManager[Path]:
    """The servers of this data folder: those of the launcher that runs there, else some of our own."""
    return nullcontext(data_dir) if lock.is_held(data_dir) else startup.running(data_dir)


def execute(up: AbstractContextManager[Path], command: list[str]) -> int:
    """The exit status of the command, run while the servers are up. It gets a Ctrl-C itself; we stay to clear up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with up as data_dir:
        signal.signal(signal.SIGINT, lambda *_: None)
        process = subprocess.Popen(command, env={**os.environ, "DATA_DIR": str(data_dir)})
        try:
            return process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
