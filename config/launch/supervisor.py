"""supervisord keeps the programs running: its configuration, its start, and the few calls that the launcher makes."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import xmlrpc.client
from contextlib import suppress
from pathlib import Path

from supervisor.xmlrpc import SupervisorTransport

from config import embedded_servers
from config.launch import command_lines
from config.launch.orphans import tie_to_parent
from config.launch.servers.startup import Server

SERVERS, PRODUCT = "servers", "product"
SERVER_STOP_S = 30
# Never given up: a program that ends within a second waits one second more at each try (supervisord's backoff).
PROGRAM = """[program:{name}]
command={command}
directory={directory}
autostart={autostart}
autorestart=true
startsecs=1
startretries=1000000
stopsignal={stop_signal}
stopwaitsecs={stop_s}
killasgroup={killasgroup}
umask=077
redirect_stderr=true
stdout_logfile={log}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""
DAEMON = """[supervisord]
nodaemon=true
silent=true
logfile={log}/supervisord.log
logfile_maxbytes=10MB
logfile_backups=3
pidfile={run}/supervisord.pid
{account}
[unix_http_server]
file={socket}
chmod=0700
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
GROUP = "[group:{name}]\nprograms={programs}\npriority={priority}\n"


def socket_path(data_dir: Path) -> Path:
    """supervisord's own socket. The name is short because supervisord adds its pid to it while it starts."""
    return embedded_servers.socket_dir(data_dir) / "sup.sock"


def configuration(data_dir: Path, servers: list[Server]) -> str:
    """supervisord's configuration: the servers start first and stop last, the product's programs stop together."""
    log, run = data_dir / "log", data_dir / "run"
    account = "user=root" if os.geteuid() == 0 else ""  # silences its warning; the launcher chose the account already
    parts = [DAEMON.format(log=_plain(log), run=_plain(run), socket=_plain(socket_path(data_dir)), account=account)]
    for server in servers:
        parts.append(
            _program(log, server.name, server.command, server.stop_signal, SERVER_STOP_S, autostart=True, group=False)
        )
    for name, (command, stop_s) in product().items():
        parts.append(_program(log, name, tie_to_parent(command), signal.SIGTERM, stop_s, autostart=False, group=True))
    if servers:
        parts.append(GROUP.format(name=SERVERS, programs=",".join(server.name for server in servers), priority=100))
    parts.append(GROUP.format(name=PRODUCT, programs=",".join(product()), priority=200))
    return "\n".join(parts)


def product() -> dict[str, tuple[list[str], int]]:
    """The product's programs: name → command line, and the seconds it may take to stop."""
    return {
        "web": (command_lines.web(), round(command_lines.WEB_STOP_S)),
        "worker": (command_lines.worker(), command_lines.worker_stop_s()),
        "scheduler": (command_lines.scheduler(), 5),
    }


def _program(
    log: Path, name: str, command: list[str], stop: signal.Signals, stop_s: int, autostart: bool, group: bool
) -> str:
    return PROGRAM.format(
        name=name,
        command=_plain(shlex.join(command)),
        directory=_plain(embedded_servers.BASE_DIR),
        autostart=str(autostart).lower(),
        stop_signal=stop.name.removeprefix("SIG"),
        stop_s=stop_s,
        killasgroup=str(group).lower(),
        log=_plain(log),
    )


def _plain(text: object) -> str:
    """The text as supervisord reads it back: it expands %(…)s."""
    return str(text).replace("%", "%%")


def start(data_dir: Path, servers: list[Server], lock_fd: int) -> subprocess.Popen[bytes]:
    """supervisord, running. It stops everything in order when we end, and holds the data folder's lock until it has."""
    file = data_dir / "run" / "supervisord.conf"
    file.write_text(configuration(data_dir, servers))
    file.chmod(0o600)
    command = tie_to_parent([sys.executable, "-m", "supervisor.supervisord", "-c", str(file)], signal.SIGTERM)
    with (data_dir / "log" / "supervisord.err").open("ab") as errors:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            cwd=embedded_servers.BASE_DIR,
            pass_fds=[lock_fd],
            start_new_session=True,
        )


def call(data_dir: Path, method: str, *arguments: object) -> object:
    """The result of supervisord's XML-RPC method; OSError when supervisord does not answer."""
    transport = SupervisorTransport(serverurl=f"unix://{socket_path(data_dir)}")
    with xmlrpc.client.ServerProxy("http://127.0.0.1", transport) as proxy:
        return getattr(proxy.supervisor, method)(*arguments)


def pid(data_dir: Path, part: str) -> int:
    """The process of a part of the product that runs on this folder; SystemExit when none does."""
    try:
        program = call(data_dir, "getProcessInfo", f"{PRODUCT}:{part}")
    except OSError:
        raise SystemExit(f"Nothing runs on {data_dir}: start it with `make run`, or set DATA_DIR.") from None
    assert isinstance(program, dict)
    return int(program["pid"])


def wake(data_dir: Path) -> None:
    """supervisord looks at its programs now, not at the end of its second: any connection does that."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(socket_path(data_dir)))
