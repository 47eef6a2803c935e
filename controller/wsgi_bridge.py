"""Run Django as a WSGI application in a few threads behind an ASGI server.

Django's own ASGI handler moves a request between threads for every middleware and opens a
database connection for each; a bridge that hands over every chunk costs as much again in
waiting for the interpreter's lock. Here a request crosses into a thread once, with its whole
body, and its answer comes back once; only streams cross for each chunk.
"""

import asyncio
import hashlib
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol

from controller.waiting_rooms import WaitingRoom

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]

# Larger request bodies are spooled to disk until complete.
BODY_IN_MEMORY = 1024 * 1024
# Responses up to this size are handed over at once.
ANSWER_AT_ONCE = 256 * 1024


class Closable(Protocol):
    def close(self) -> None: ...


class ClientGone(Exception):
    """Client that closed the connection before its request was complete."""


class Bridge:
    """An ASGI application around a WSGI application.

    A request that fits one of ``rooms`` runs in that room's threads, and is answered by
    ``busy`` if the room is full. All other requests share ``threads`` threads.
    """

    def __init__(
        self,
        application: WSGI,
        *,
        threads: int,
        body_limit: Callable[[str], int],
        rooms: Sequence[WaitingRoom] = (),
        busy: WSGI | None = None,
    ) -> None:
        self.application = application
        self.body_limit = body_limit
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="wsgi")
        self.rooms = rooms
        self.busy = busy or application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = f"{scope['method']} {scope['path']}"
        for room in self.rooms:
            if (target := room.target_of(request)) is not None:
                async with room.place(caller_of(scope), target) as has_place:
                    if has_place:
                        await self.answer(self.application, room.pool, scope, receive, send)
                    else:
                        await self.answer(self.busy, self.pool, scope, receive, send)
                return
        await self.answer(self.application, self.pool, scope, receive, send)

    async def answer(
        self, application: WSGI, pool: Executor, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Run the application in the pool. A request that was cut off is not carried out."""
        with SpooledTemporaryFile(BODY_IN_MEMORY) as body:
            try:
                size = await read_body(scope, body, receive, self.body_limit(scope["path"]))
            except ClientGone:
                return
            environ = environment(scope, body) | {"CONTENT_LENGTH": str(size)}
            await respond(application, pool, environ, receive, send)


async def respond(
    application: WSGI, pool: Executor, environ: dict[str, Any], receive: Receive, send: Send
) -> None:
    """Send the answer, part by part if it is a stream, until its end or the client leaves.

    A stream yields an empty part at least once a second while it has nothing to send, so that
    a client that left is noticed.
    """
    loop = asyncio.get_running_loop()
    answer = WsgiResponse()
    part = await loop.run_in_executor(pool, answer.begin, application, environ)
    gone = asyncio.ensure_future(wait_for_disconnect(receive))
    try:
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": answer.headers,
            }
        )
        while answer.is_open and not gone.done():
            if part:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            part = await loop.run_in_executor(pool, answer.more)
        if not answer.is_open:
            await send({"type": "http.response.body", "body": part})
    finally:
        gone.cancel()
        if answer.is_open:
            await loop.run_in_executor(pool, answer.close)


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


def caller_of(scope: Scope) -> str:
    """Return what tells one caller from another: credentials, else the address."""
    for name, value in scope["headers"]:
        if name in {b"authorization", b"x-api-key", b"cookie"}:
            return hashlib.blake2b(value, digest_size=16).hexdigest()
    return scope["client"][0] if scope.get("client") else ""


async def read_body(scope: Scope, body: IO[bytes], receive: Receive, limit: int) -> int:
    """Read a request's body. Returns its size, or one more than the limit if it is larger.

    A body that is too large is not kept: the application refuses it unread. Raises ClientGone
    if the client leaves before the body is whole.
    """
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            body.seek(0)
            body.truncate()
            return limit + 1
        body.write(part)
        if not message.get("more_body"):
            break
    declared = dict(scope["headers"]).get(b"content-length", b"")
    if declared.isdigit() and size < int(declared):
        raise ClientGone
    body.seek(0)
    return size


class WsgiResponse:
    """One response, produced in a worker thread."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_open = False
        self.result: Closable | Iterable[bytes] = ()
        self.chunks: Iterator[bytes] = iter(())

    def begin(self, application: WSGI, environ: dict[str, Any]) -> bytes:
        """Run the application; return the whole response if short, else its first part."""
        self.result = application(environ, self.start_response)
        self.chunks = iter(self.result)
        self.is_open = True
        return self.more()

    def start_response(self, status: str, headers: list[tuple[str, str]], *_: object) -> None:
        self.status = int(status.split(" ", 1)[0])
        self.headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
        ]

    def more(self) -> bytes:
        """Return the next part; close the response after the last."""
        streaming = not hasattr(self.result, "content")
        parts, size = [], 0
        for part in self.chunks:
            parts.append(part)
            size += len(part)
            if streaming or size > ANSWER_AT_ONCE:
                return b"".join(parts)
        self.close()
        return b"".join(parts)

    def close(self) -> None:
        self.is_open = False
        close = getattr(self.result, "close", None)
        if close is not None:
            close()


def environment(scope: Scope, body: IO[bytes]) -> dict[str, Any]:
    """Return the WSGI environment (PEP 3333) of an ASGI scope."""
    server, client = scope.get("server") or ("localhost", 80), scope.get("client")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        # Before percent-decoding, for code that must recognize encoded slashes.
        "RAW_PATH": scope.get("raw_path", b"").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0] if client else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        # Set for pages: this server supports WebSockets.
        "MUSTER_SOCKETS": "1",
    }
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1")
        value = raw_value.decode("latin-1")
        if "_" in name:
            continue  # could pass for a dashed header, which a proxy may have checked
        key = name.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        separator = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = separator.join(filter(None, chain([environ.get(key)], [value])))
    return environ
