"""Base of HTTP stand-ins: listening, faults, and an event loop of their own."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 301: "Moved Permanently",
           400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
           405: "Method Not Allowed", 409: "Conflict", 423: "Locked",
           500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable"}  # fmt: skip
# For larger bodies only size and digest are stored.
LARGEST_KEPT = 16 * 1024 * 1024


@dataclass(frozen=True)
class Large:
    """A body generated while it is sent."""

    size: int

    def blocks(self) -> Iterator[bytes]:
        for at in range(0, self.size, len(BLOCK)):
            yield BLOCK[: self.size - at]

    @property
    def digest(self) -> str:
        found = hashlib.sha256()
        for block in self.blocks():
            found.update(block)
        return found.hexdigest()


@dataclass(frozen=True)
class Growing:
    """A body that grows line by line while ``goes_on`` is set."""

    lines: tuple[str, ...]
    goes_on: bool = False


BLOCK = hashlib.sha256(b"backup").digest() * 8192
Answer = tuple[int, str, str | bytes | Large | Growing]
Writes = Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    head: str = field(repr=False)
    """Raw request line and headers."""
    size: int = 0
    digest: str = ""

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query)

    @property
    def data(self) -> dict[str, Any]:
        found = json.loads(self.body) if self.body else {}
        return found if isinstance(found, dict) else {}


class Appliance:
    """One device. ``delay``, ``fault`` and ``reboot_seconds`` may be changed."""

    leaves_after: frozenset[str] = frozenset()

    def __init__(self, *, port: int = 0) -> None:
        self.host, self.port = "127.0.0.1", port
        self.delay = 0.0
        # By path.
        self.delays: dict[str, float] = {}
        self.fault: Writes | None = None
        self.reboot_seconds = 0.0
        self.booted = 0
        self.requests: list[Request] = []
        self.tls: ssl.SSLContext | None = None

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    # --- lifecycle

    async def listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, self.host, self.port, ssl=self.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._server.close()

    @property
    def paths(self) -> list[tuple[str, str]]:
        return [(request.method, request.path) for request in self.requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._one(reader, writer)
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        method, target, _ = first.split(" ")
        request = Request(method, target, headers, b"", head)
        await self._read_body(request, reader)
        self.requests.append(request)
        if delay := self.delays.get(request.path, self.delay):
            await asyncio.sleep(delay)
        if self.fault is not None:
            await self.fault(writer)
            return
        await self.respond(request, writer)
        if request.path in self.leaves_after and self.reboot_seconds:
            await self._reboot()

    async def respond(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await self._send(writer, *self.answer(request))

    async def _read_body(self, request: Request, reader: asyncio.StreamReader) -> None:
        if "chunked" in request.headers.get("transfer-encoding", ""):
            await self._read_chunks(request, reader)
            return
        request.size = left = int(request.headers.get("content-length", 0))
        if left <= LARGEST_KEPT:
            request.body = await reader.readexactly(left)
            request.digest = hashlib.sha256(request.body).hexdigest()
            return
        digest = hashlib.sha256()
        while left:
            part = await reader.read(min(left, 1024 * 1024))
            if not part:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(part)
            digest.update(part)
        request.digest = digest.hexdigest()

    async def _read_chunks(self, request: Request, reader: asyncio.StreamReader) -> None:
        digest = hashlib.sha256()
        while size := int((await reader.readline()).split(b";")[0], 16):
            part = (await reader.readexactly(size + 2))[:-2]
            request.size += size
            digest.update(part)
            if request.size <= LARGEST_KEPT:
                request.body += part
        await reader.readline()
        request.digest = digest.hexdigest()

    async def _send(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        kind: str,
        body: str | bytes | Large | Growing,
    ) -> None:
        if isinstance(body, Growing):
            await self._grow(writer, kind, body)
            return
        data = body.encode() if isinstance(body, str) else body
        parts = data.blocks() if isinstance(data, Large) else iter([data])
        size = data.size if isinstance(data, Large) else len(data)
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Said')}", "Connection: close"]
        if kind:
            lines.append(f"Content-Type: {kind}")
        if status != 204:
            lines.append(f"Content-Length: {size}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        for part in parts:
            writer.write(part)
            await writer.drain()

    async def _grow(self, writer: asyncio.StreamWriter, kind: str, body: Growing) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode())
        for line in body.lines:
            writer.write(line.encode())
            await writer.drain()
            await asyncio.sleep(0.05)
        while body.goes_on:
            await asyncio.sleep(0.05)

    async def _reboot(self) -> None:
        """Close the listener at once and reopen it later."""
        self._server.close()
        self.booted += 1
        await asyncio.sleep(self.reboot_seconds)
        await self.listen()


# --- answers of broken or hostile devices


async def redirects(writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 301 Moved\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    )
    await writer.drain()


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def drips(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 999\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.05)


async def garbage(writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\x01 hello, I am no HTTP at all\r\n\r\n")
    await writer.drain()


async def hangs_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def packed(writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n"
        b"Content-Length: 3\r\n\r\nabc"
    )
    await writer.drain()


def says(status: int, kind: str, body: bytes) -> Writes:
    """Return a handler that gives the same answer to every request."""

    async def write(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}"
        writer.write(f"{head}\r\nSet-Cookie: sessionid=stolen\r\n\r\n".encode() + body)
        await writer.drain()

    return write


def own_address() -> str:
    """Return a routable address of this machine; empty if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


class Supervisors:
    """Stand-ins on one event loop in a thread of its own."""

    def __init__(self, *devices: Appliance) -> None:
        self.devices = devices
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        for device in self.devices:
            self.run(device.listen())
        return self

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def __exit__(self, *_: object) -> None:
        for device in self.devices:
            self.run(device.close())
        self.run(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def _end(self) -> None:
        """Cancel slow and endless answers."""
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
