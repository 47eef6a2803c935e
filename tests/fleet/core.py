"""Stand-in Home Assistant Core in front of its supervisor: WebSocket and HTTP.

The HTTP paths and their permissions follow Core's ``hassio`` integration; all else uses
``supervisor/api`` over the WebSocket.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from dataclasses import replace
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from tests.fleet.hassio import INGRESS_ENTRY, INGRESS_SESSION, PLAIN, HassioSupervisor
from tests.fleet.http import Answer, Request

PASSED = re.compile(
    r"/(backups/(new/upload|[^/]+/download)|(store/)?addons/[^/]+/(icon|logo|changelog|documentation)"
    r"|(core|supervisor|host|dns|addons/[^/]+)/logs(/follow|/latest)?)"
)


class Core(HassioSupervisor):
    """One device, reachable only through Core; ``token`` is an administrator's."""

    def __init__(self, version: str = "2026.08.0") -> None:
        super().__init__(version)
        self.token = ".".join(secrets.token_urlsafe(24) for _ in range(3))
        self.asked: list[dict[str, Any]] = []

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET /api/websocket "):
            await self._talk(head, reader, writer)
            return
        again = asyncio.StreamReader()
        again.feed_data(head)
        piping = asyncio.ensure_future(self._pipe(reader, again))
        try:
            await super()._one(again, writer)
        finally:
            piping.cancel()

    async def _pipe(self, reader: asyncio.StreamReader, to: asyncio.StreamReader) -> None:
        while data := await reader.read(65536):
            to.feed_data(data)
        to.feed_eof()

    def answer(self, request: Request) -> Answer:
        """Answer HTTP requests: files and texts only."""
        if request.path.startswith(INGRESS_ENTRY):
            if f"ingress_session={INGRESS_SESSION}" not in request.headers.get("cookie", ""):
                return 401, PLAIN, "401: Unauthorized"
            return 200, "text/html", f"<p>{request.method} {request.target}</p>"
        path = request.path.removeprefix("/api/hassio")
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return 401, PLAIN, "401: Unauthorized"
        if path == request.path or not PASSED.fullmatch(path):
            return 404, PLAIN, "404: Not Found"
        return super().answer(self._inside(request, path))

    def _inside(self, request: Request, path: str) -> Request:
        headers = request.headers | {"authorization": f"Bearer {self.key}"}
        return replace(request, target=path, headers=headers)

    # --- the WebSocket

    async def _talk(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        protocol = ServerProtocol()
        protocol.receive_data(head)
        (request,) = protocol.events_received()
        protocol.send_response(protocol.accept(request))  # type: ignore[arg-type]
        self._say(protocol, {"type": "auth_required", "ha_version": self.core})
        is_in = False
        while True:
            for data in protocol.data_to_send():
                writer.write(data)
                if not data:
                    return
            await writer.drain()
            if not (data := await reader.read(65536)):
                return
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                    is_in = self._hear(protocol, json.loads(bytes(event.data)), is_in=is_in)

    def _say(self, protocol: ServerProtocol, message: dict[str, Any]) -> None:
        protocol.send_text(json.dumps(message).encode())

    def _hear(self, protocol: ServerProtocol, message: dict[str, Any], *, is_in: bool) -> bool:
        if not is_in:
            is_right = message == {"type": "auth", "access_token": self.token}
            self._say(protocol, {"type": "auth_ok" if is_right else "auth_invalid"})
            return is_right
        self.asked.append(message)
        if message["type"] == "get_states":
            told = {"id": message["id"], "type": "result", "success": True, "result": []}
            self._say(protocol, told)
            return True
        if message["type"] != "supervisor/api":
            self._say(protocol, self._failed(message, "unknown_command", "Unknown command."))
            return True
        request = Request(
            message["method"].upper(), message["endpoint"], {},
            json.dumps(message.get("data", {})).encode(), "",
        )  # fmt: skip
        self.requests.append(request)
        status, _, body = super().answer(self._inside(request, message["endpoint"]))
        told = json.loads(body) if str(body).startswith("{") else {}
        if status >= 400:
            text = told.get("message", str(body))
            self._say(protocol, self._failed(message, "unknown_error", text))
        else:
            # Other messages may arrive in between.
            self._say(protocol, {"id": 7, "type": "event", "event": {}})
            result = {"id": message["id"], "type": "result", "success": True}
            self._say(protocol, result | {"result": told["data"]})
        return True

    def _failed(self, message: dict[str, Any], code: str, text: str) -> dict[str, Any]:
        error = {"code": code, "message": text}
        return {"id": message["id"], "type": "result", "success": False, "error": error}
