"""The web server's address: is it free, and does the product answer there?"""

import errno
import http.client
import socket

from config.launch import command_lines

READY = "ready"
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
REFUSALS = {
    errno.EADDRINUSE: "port {port} of {host} is in use by another program; set PORT to a free one: PORT=8001 make run",
    errno.EADDRNOTAVAIL: "HOST: {host} is no address of this machine; use 127.0.0.1, or 0.0.0.0 for all",
    errno.EACCES: "PORT: {port} may be used by root alone; set it to 1024 or more",
}


class PortInUse(SystemExit):
    """The web server could not listen on its address."""


def refuse_used(host: str, port: int) -> None:
    """PortInUse when another program listens on the address, or this process may not."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
    except socket.gaierror:
        raise PortInUse(f"HOST: {host!r} is not known; use 127.0.0.1, or 0.0.0.0 for all addresses") from None
    with socket.socket(family, kind) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(address)
        except OSError as error:
            text = REFUSALS.get(error.errno or 0, "cannot listen on port {port} of {host}: " + str(error.strerror))
            raise PortInUse(text.format(host=host, port=port)) from None


def _reach() -> str:
    host = command_lines.host()
    return WILDCARDS.get(host, host)


def url() -> str:
    """The product's URL for a browser on this machine."""
    host = _reach()
    return f"http://{f'[{host}]' if ':' in host else host}:{command_lines.port()}"


def readiness() -> str:
    """READY when /readyz answers 200, else what it answers."""
    status, body = _get("/readyz")
    if status == 0:
        return f"/readyz does not answer ({body})"
    return READY if status == 200 else f"/readyz answers {status} {body}"


def liveness() -> str:
    """What is wrong with the web server; "" when it answers, whatever it has to say of the database."""
    status, body = _get("/healthz")
    return "" if status == 200 else f"/healthz answers {status or 'nothing'} ({body})"


def _get(path: str) -> tuple[int, str]:
    """(status, the body's beginning); 0 and the reason when there is no answer."""
    connection = http.client.HTTPConnection(_reach(), command_lines.port(), timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(1000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()
