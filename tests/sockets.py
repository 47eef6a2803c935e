"""WebSocket test client connected directly to the consumer, without a server.

Example::

    def test_something(told):
        async def scene():
            listener = await Listener("/api/v1/ws/events", authorization="Bearer …").ready()
            ...

        played(scene)
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.routing import URLRouter

from controller.urls import sockets

SECONDS = 20.0
HOST = "portal.example.org"


class Listener:
    def __init__(self, path: str = "/api/v1/ws/events", **headers: str) -> None:
        path, _, query = path.partition("?")
        named = {"host": HOST} | headers
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.encode(),
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in named.items()],
            "client": ("192.0.2.7", 1234),
            "subprotocols": [],
        }
        self.end = ApplicationCommunicator(URLRouter(sockets), scope)

    async def connect(self) -> int:
        """Connect. Returns 0 after a successful handshake, otherwise the refusal's code."""
        await self.end.send_input({"type": "websocket.connect"})
        answer = await self.end.receive_output(SECONDS)
        return 0 if answer["type"] == "websocket.accept" else int(answer.get("code", 1000))

    async def ready(self) -> "Listener":
        assert await self.connect() == 0
        assert (await self.hears())["type"] == "ready"
        return self

    async def says(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self.end.send_input({"type": "websocket.receive", "text": text})

    async def says_bytes(self, data: bytes) -> None:
        await self.end.send_input({"type": "websocket.receive", "bytes": data})

    async def hears(self) -> Any:
        message = await self.end.receive_output(SECONDS)
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    async def hears_bytes(self) -> bytes:
        message = await self.end.receive_output(SECONDS)
        assert message["type"] == "websocket.send", message
        return bytes(message["bytes"])

    async def closes(self) -> int:
        """Return the portal's close code, ignoring messages before it."""
        while True:
            message = await self.end.receive_output(SECONDS)
            if message["type"] == "websocket.close":
                return int(message.get("code", 1000))

    async def is_quiet(self) -> bool:
        return await self.end.receive_nothing(timeout=0.1, interval=0.02)

    async def leaves(self) -> None:
        await self.end.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.end.wait(SECONDS)


def played(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run the coroutine as a server would, with database access in this thread."""
    async_to_sync(scene)()
