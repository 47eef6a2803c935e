"""Serve firmware images to devices outside the threads of Django.

A hundred slow downloads hold a hundred open files and no thread. The token is in the header
``Authorization`` or is the whole body of a POST, for programs that can send a file only. A
request without a token says that the portal is reached.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from io import BytesIO

from django.db import close_old_connections

from controller.firmware.drivers.transfer import paced_parts
from controller.firmware.rules import downloads
from controller.firmware.rules.downloads import PATH, OpenedDownload
from controller.wsgi_bridge import (
    ClientGone,
    Receive,
    Scope,
    Send,
    read_body,
    wait_for_disconnect,
)

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

RANGE = re.compile(rb"bytes=(\d{1,15})-(\d{0,15})")
LONGEST_TOKEN = 200
THREADS = 2


class ImageFastPath:
    """ASGI middleware that serves images to holders of tokens; passes on the rest."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="images")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await self.application(scope, receive, send)
        elif scope["method"] == "HEAD":
            await answer(send, HTTPStatus.OK)
        elif scope["method"] in {"GET", "POST"}:
            try:
                token = await token_of(scope, receive)
            except ClientGone:
                return
            if token or scope["method"] == "POST":
                await self.serve(token, scope, receive, send)
            else:
                # As some programs ask where others send HEAD.
                await answer(send, HTTPStatus.OK)
        else:
            await answer(send, HTTPStatus.METHOD_NOT_ALLOWED)

    async def serve(self, token: str, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self.pool, opened, token)
        if found is None:
            await answer(send, HTTPStatus.NOT_FOUND)
            return
        start, end = range_of(scope, found.size)
        if start >= end:
            whole = {b"content-range": f"bytes */{found.size}".encode()}
            await answer(send, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, whole)
            return
        await stream(found, start, end, scope, receive, send)


def opened(token: str) -> OpenedDownload | None:
    close_old_connections()
    return downloads.open_download(token)


async def token_of(scope: Scope, receive: Receive) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization" and value.lower().startswith(b"bearer "):
            return str(value[7:].decode("latin-1").strip())
    if scope["method"] != "POST":
        return ""
    body = BytesIO()
    await read_body(scope, body, receive, LONGEST_TOKEN)
    return body.getvalue().decode("latin-1").strip()


def range_of(scope: Scope, size: int) -> tuple[int, int]:
    """Return the first byte that is wanted, and the one behind the last."""
    asked = next((value for name, value in scope["headers"] if name == b"range"), b"")
    found = RANGE.fullmatch(asked.strip())
    if found is None:
        return 0, size
    last = int(found[2]) + 1 if found[2] else size
    return int(found[1]), min(last, size)


async def stream(
    found: OpenedDownload, start: int, end: int, scope: Scope, receive: Receive, send: Send
) -> None:
    is_whole = (start, end) == (0, found.size)
    headers = {
        b"content-type": b"application/octet-stream",
        b"content-length": str(end - start).encode(),
        b"accept-ranges": b"bytes",
        b"cache-control": b"no-store, no-transform",
        b"etag": f'"{found.sha256}"'.encode(),
    }
    if not is_whole:
        headers[b"content-range"] = f"bytes {start}-{end - 1}/{found.size}".encode()
    status = HTTPStatus.OK if is_whole else HTTPStatus.PARTIAL_CONTENT
    await send({"type": "http.response.start", "status": status, "headers": [*headers.items()]})
    if is_whole and not found.rate and "http.response.pathsend" in scope.get("extensions", {}):
        await send({"type": "http.response.pathsend", "path": str(found.path)})
        return
    gone = asyncio.ensure_future(wait_for_disconnect(receive))
    try:
        parts = paced_parts(found.path, found.lane, found.rate, start=start, end=end)
        async for part in parts:
            if gone.done():
                return
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def answer(
    send: Send, status: HTTPStatus, headers: dict[bytes, bytes] | None = None
) -> None:
    found = {b"content-length": b"0", **(headers or {})}
    await send({"type": "http.response.start", "status": status, "headers": [*found.items()]})
    await send({"type": "http.response.body", "body": b""})
