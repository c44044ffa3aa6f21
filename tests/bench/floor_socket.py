"""The floor of monitors: a web application under the same server that accepts a WebSocket, says a word, and waits."""

from typing import Any


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve one WebSocket; anything else is answered with 204."""
    if scope["type"] != "websocket":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "{}"})
    while (await receive())["type"] != "websocket.disconnect":
        pass
