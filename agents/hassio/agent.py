"""Home Assistant add-on that connects this device's supervisor to a Muster portal.

The agent dials the portal's WebSocket and waits for calls. Calls listed in ``allowed.json``
are
made with the add-on's own token, all others are refused. Text messages are JSON with
``type``
and ``id``; binary messages are parts of a body, prefixed with the 16 bytes of the call's
id.
Flow control: a part is sent only after the receiver granted room with "more", so no body is
ever held in memory as a whole.

    SUPERVISOR_TOKEN=… MUSTER_URL=https://muster.example.org MUSTER_KEY=… python3 agent.py
"""

import asyncio
import http.client
import json
import logging
import os
import random
import re
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

VERSION = "1.0"
OPTIONS = Path("/data/options.json")
PART = 48 * 1024
WINDOW = 16
MOST_CALLS = 16
LONGEST_PAUSE = 60.0
SENT = ("Accept", "Range", "Content-Type", "Content-Length")
RETURNED = ("content-type", "content-length", "content-range")
# Path traversal and encoding tricks; no allowed path contains any of these.
SUSPICIOUS = re.compile(r"\.\.|//|[\\%?#\s\x00-\x1f]")

log = logging.getLogger("muster")


def allowed_calls() -> list[tuple[str, re.Pattern[str]]]:
    told = json.loads((Path(__file__).parent / "allowed.json").read_text())
    place = r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}"
    return [
        (method, re.compile(re.sub(r"\\\{\w+\\\}", lambda _: place, re.escape(path))))
        for method, path in (line.split(" ") for line in told)
    ]


class Refused(Exception):
    """Call that is not on this device's list of allowed calls."""


class Call:
    """One supervisor call in progress."""

    task: "asyncio.Task[None]"

    def __init__(self, agent: "Agent", message: dict[str, Any]) -> None:
        self.agent, self.id = agent, str(message["id"])
        self.message = message
        self.window = min(int(message.get("window", WINDOW)), 64)
        self.room = asyncio.Semaphore(self.window)
        self.body: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.connection = http.client.HTTPConnection(*agent.supervisor)

    async def run(self) -> None:
        try:
            await self.make()
        except Refused:
            await self.tell("end", error="refused")
        except ConnectionRefusedError:
            await self.tell("end", error="away")
        except (OSError, http.client.HTTPException, ValueError) as error:
            log.warning("%s: %s", self.message.get("path"), error)
            await self.tell("end", error="broken")
        finally:
            self.agent.calls.pop(self.id, None)
            await asyncio.to_thread(self.close)

    async def make(self) -> None:
        method, path = str(self.message["method"]), str(self.message["path"])
        if SUSPICIOUS.search(path) or not any(
            method == allowed and pattern.fullmatch(path)
            for allowed, pattern in self.agent.allowed
        ):
            log.warning("refused: %s %s", method, path)
            raise Refused
        given = self.message.get("headers", {})
        headers = {name: str(given[name]) for name in SENT if given.get(name)}
        headers["Authorization"] = f"Bearer {self.agent.token}"
        query = urlencode(self.message.get("query", {}))
        target = f"{path}?{query}" if query else path
        seconds = (
            None if self.message.get("follows") else float(self.message.get("seconds", 30))
        )
        self.connection = http.client.HTTPConnection(*self.agent.supervisor, timeout=seconds)
        await asyncio.to_thread(self.begin, method, target, headers)
        if self.message.get("body"):
            await self.send_body(chunked="Content-Length" not in headers)
        answer = await asyncio.to_thread(self.connection.getresponse)
        returned = {name: answer.getheader(name) for name in RETURNED if answer.getheader(name)}
        await self.tell("answer", status=answer.status, headers=returned)
        while True:
            await self.room.acquire()
            # Supervisors write a chunk for each line of a log.
            read = answer.read1 if self.message.get("follows") else answer.read
            part = await asyncio.to_thread(read, PART)
            if not part:
                break
            await self.agent.socket.send(bytes.fromhex(self.id) + part)
        await self.tell("end")

    def begin(self, method: str, target: str, headers: dict[str, str]) -> None:
        chunked = self.message.get("body") and "Content-Length" not in headers
        if chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif method != "GET" and "Content-Length" not in headers:
            headers["Content-Length"] = "0"
        self.connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            self.connection.putheader(name, value)
        self.connection.endheaders()

    async def send_body(self, *, chunked: bool) -> None:
        while (part := await self.body.get()) is not None:
            data = b"%x\r\n%b\r\n" % (len(part), part) if chunked else part
            await asyncio.to_thread(self.connection.send, data)
            await self.tell("more")
        if chunked:
            await asyncio.to_thread(self.connection.send, b"0\r\n\r\n")

    async def tell(self, kind: str, **values: Any) -> None:
        await self.agent.socket.send(json.dumps({"type": kind, "id": self.id, **values}))

    def close(self) -> None:
        # Closing the socket itself ends a read that blocks in a thread.
        with suppress(OSError):
            if self.connection.sock is not None:
                self.connection.sock.shutdown(2)
        self.connection.close()


class Agent:
    socket: ClientConnection

    def __init__(self, url: str, key: str, token: str, supervisor: str) -> None:
        self.key, self.token = key, token
        parts = urlsplit(url.rstrip("/"))
        if parts.scheme not in {"https", "http"}:
            raise SystemExit("The portal's address begins with https://.")
        scheme = "wss" if parts.scheme == "https" else "ws"
        self.url = f"{scheme}://{parts.netloc}{parts.path}/api/v1/ws/home"
        host, _, port = supervisor.partition(":")
        self.supervisor = (host, int(port or 80))
        self.allowed = allowed_calls()
        self.calls: dict[str, Call] = {}

    async def run(self) -> None:
        """Connect to the portal and serve its calls; reconnect with backoff, forever."""
        pause = 1.0
        while True:
            try:
                headers = {
                    "Authorization": f"Bearer {self.key}",
                    "User-Agent": f"muster-home/{VERSION}",
                }
                secure = ssl.create_default_context() if self.url.startswith("wss") else None
                async with connect(
                    self.url,
                    additional_headers=headers,
                    max_size=64 * 1024,
                    compression=None,
                    ssl=secure,
                ) as self.socket:
                    log.info("connected to %s", self.url)
                    pause = 1.0
                    await self.serve()
            except ConnectionClosed as error:
                said = error.rcvd.reason if error.rcvd else "the connection broke"
                log.warning("the portal closed: %s", said)
                # Rejected rather than disconnected: an immediate retry would be rejected as
                # well.
                if error.rcvd and error.rcvd.code in {4401, 4403}:
                    pause = LONGEST_PAUSE
            except (OSError, InvalidStatus, WebSocketException) as error:
                log.warning("the portal is not reached: %s", error)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads a fleet
            pause = min(pause * 2, LONGEST_PAUSE)

    async def serve(self) -> None:
        tasks: set[asyncio.Future[None]] = set()
        try:
            async for message in self.socket:
                if isinstance(message, bytes):
                    call = self.calls.get(message[:16].hex())
                    if call is not None:
                        call.body.put_nowait(message[16:])
                else:
                    self.heard(json.loads(message), tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.calls.clear()

    def heard(self, message: dict[str, Any], tasks: "set[asyncio.Future[None]]") -> None:
        kind, name = message.get("type"), message.get("id", "")
        call = self.calls.get(name)
        if kind == "call" and call is None:
            if len(self.calls) >= MOST_CALLS:
                task: asyncio.Future[None] = asyncio.ensure_future(
                    self.socket.send(json.dumps({"type": "end", "id": name, "error": "busy"}))
                )
            else:
                call = self.calls[name] = Call(self, message)
                call.task = task = asyncio.create_task(call.run())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        elif call is None:
            return
        elif kind == "more":
            call.room.release()
        elif kind == "end":
            call.body.put_nowait(None)
        elif kind == "stop":
            call.task.cancel()
            call.close()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    options = json.loads(OPTIONS.read_text()) if OPTIONS.exists() else {}
    url = options.get("portal") or os.environ.get("MUSTER_URL", "")
    key = options.get("key") or os.environ.get("MUSTER_KEY", "")
    token = os.environ.get("SUPERVISOR_TOKEN") or os.environ.get("HASSIO_TOKEN", "")
    if not (url and key and token):
        raise SystemExit(
            "The portal's address and the device's key are missing in the options."
        )
    agent = Agent(url, key, token, os.environ.get("MUSTER_SUPERVISOR", "supervisor"))
    with suppress(KeyboardInterrupt):
        asyncio.run(agent.run())


if __name__ == "__main__":
    main()
