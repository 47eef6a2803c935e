"""Django as WSGI, in a few threads behind an ASGI server.

Django's own ASGI handler moves a request between threads for every middleware and opens a
database connection for each; a bridge that hands over every chunk costs as much again in
waiting for the interpreter's lock. Here a request crosses into a thread once, with its whole
body, and its answer comes back once; only answers that are streams cross for each chunk.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]

# Larger request bodies wait on disk until they are whole.
BODY_IN_MEMORY = 1024 * 1024
# Answers up to this size cross at once.
ANSWER_AT_ONCE = 256 * 1024


class Closable(Protocol):
    def close(self) -> None: ...


class Bridge:
    """ASGI around a WSGI application."""

    def __init__(
        self, application: WSGI, *, threads: int, body_limit: Callable[[str], int]
    ) -> None:
        self.application = application
        self.body_limit = body_limit
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="wsgi")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        loop = asyncio.get_running_loop()
        with SpooledTemporaryFile(BODY_IN_MEMORY) as body:
            size = await read_body(body, receive, self.body_limit(scope["path"]))
            answer = WsgiResponse()
            environ = environment(scope, body) | {"CONTENT_LENGTH": str(size)}
            first = await loop.run_in_executor(
                self.pool, answer.begin, self.application, environ
            )
            try:
                await send(
                    {
                        "type": "http.response.start",
                        "status": answer.status,
                        "headers": answer.headers,
                    }
                )
                while answer.is_open:
                    await send({"type": "http.response.body", "body": first, "more_body": True})
                    first = await loop.run_in_executor(self.pool, answer.more)
                await send({"type": "http.response.body", "body": first})
            finally:
                if answer.is_open:
                    await loop.run_in_executor(self.pool, answer.close)


async def read_body(body: IO[bytes], receive: Receive, limit: int) -> int:
    """Read a request's body; its size, or one more than the limit where it has more.

    What is too large is not kept: the application says so, and need not read it.
    """
    size = 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            body.seek(0)
            body.truncate()
            return limit + 1
        body.write(part)
        if not message.get("more_body"):
            break
    body.seek(0)
    return size


class WsgiResponse:
    """One answer, as the threads make it."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_open = False
        self.result: Closable | Iterable[bytes] = ()
        self.chunks: Iterator[bytes] = iter(())

    def begin(self, application: WSGI, environ: dict[str, Any]) -> bytes:
        """Run the application; its whole answer if that is short, else the first part."""
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
        """The next part; closes the answer when it is the last."""
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
    """The WSGI environment (PEP 3333) of an ASGI scope."""
    server, client = scope.get("server") or ("localhost", 80), scope.get("client")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        # Before percent-decoding, for those who must know what was a slash.
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
        # For pages: that whoever serves them has WebSockets too.
        "MUSTER_SOCKETS": "1",
    }
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1")
        value = raw_value.decode("latin-1")
        if "_" in name:
            continue  # could pass for a header with a dash, which a proxy may have checked
        key = name.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        separator = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = separator.join(filter(None, chain([environ.get(key)], [value])))
    return environ
