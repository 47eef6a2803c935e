"""Answer agents' checksum polls from Redis before Django is entered.

Nine of ten requests to a controller are checksum polls. Anything unusual (no record,
another
key, a changed address, Redis down or slow) is passed on to Django, which decides.
"""

import asyncio
import hmac
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from redis.asyncio import Redis
from redis.exceptions import RedisError

from controller.base.redis import async_client
from controller.devices.drivers.agent_cache import SEEN, key_hash, record_name
from controller.dialects.agent import HEADER
from controller.wsgi_bridge import Receive, Scope, Send

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = re.compile(r"/controller/(?:device/)?checksum/([0-9a-fA-F-]{32,36})/")
# Form of nearly all polls; nothing in it needs decoding.
PLAIN = re.compile(r"key=[0-9A-Za-z_-]+")
PATIENCE_SECONDS = 0.25
FLUSH_SECONDS = 1.0
# Pause after a failure of Redis, so that an outage or slowness costs little.
PAUSE_SECONDS = 5.0
RECORD_PARTS = 3

log = logging.getLogger(__name__)


class ChecksumFastPath:
    """ASGI middleware that answers checksum polls from the cache; passes on the rest."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.redis: Redis | None = None
        self.asked: list[tuple[str, asyncio.Future[str | None]]] = []
        self.reader: asyncio.Task[None] | None = None
        self.seen: dict[str, str] = {}
        self.flusher: asyncio.Task[None] | None = None
        self.ask_again = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            asked = PATH.fullmatch(scope["path"])
            checksum = asked and await self.checksum(asked[1].replace("-", "").lower(), scope)
            if checksum:
                await answer(send, checksum)
                return
        await self.application(scope, receive, send)

    async def checksum(self, device: str, scope: Scope) -> str | None:
        """Return the checksum, or None if the cached record does not suffice."""
        text = scope["query_string"].decode("latin-1")
        query = {"key": text[4:]} if PLAIN.fullmatch(text) else dict(parse_qsl(text))
        record = await self.record(device)
        if record is None or query.keys() - {"key", "management_ip"}:
            return None
        key, checksum, management_ip = record
        if management_ip != query.get("management_ip", ""):
            return None
        if not hmac.compare_digest(key, key_hash(query.get("key", ""))):
            return None
        self.record_seen(device, scope)
        return checksum

    async def record(self, device: str) -> list[str] | None:
        if time.monotonic() < self.ask_again:
            return None
        found: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.asked.append((record_name(device), found))
        if self.reader is None or self.reader.done():
            self.reader = asyncio.create_task(self.read())
        parts = (await found or "").split("|")
        return parts if len(parts) == RECORD_PARTS else None

    async def read(self) -> None:
        """Read the records of all waiting polls with one command per round trip.

        A round trip to Redis costs as much as the rest of a poll.
        """
        while self.asked:
            asked, self.asked = self.asked, []
            records: list[Any] = [None] * len(asked)
            try:
                records = await self.connected().mget([name for name, _ in asked])
            except (RedisError, OSError) as error:
                log.warning("Redis does not answer, polls go to the database: %s", error)
                self.ask_again = time.monotonic() + PAUSE_SECONDS
            finally:
                for (_, found), record in zip(asked, records, strict=True):
                    if not found.done():  # the client may have disconnected
                        found.set_result(record)

    def connected(self) -> Redis:
        if self.redis is None:
            self.redis = async_client(PATIENCE_SECONDS)
        return self.redis

    def record_seen(self, device: str, scope: Scope) -> None:
        """Note that the device polled; written to Redis in bulk."""
        client = scope.get("client")
        self.seen[device] = f"{time.time():.3f} {client[0] if client else ''}"
        if self.flusher is None or self.flusher.done():
            self.flusher = asyncio.create_task(self.flush())

    async def flush(self) -> None:
        await asyncio.sleep(FLUSH_SECONDS)
        seen, self.seen = self.seen, {}
        try:
            await self.connected().hset(SEEN, mapping=seen)  # type: ignore[arg-type]
        except (RedisError, OSError) as error:
            log.warning("Redis does not answer, last seen of %d is lost: %s", len(seen), error)


async def answer(send: Send, checksum: str) -> None:
    body = checksum.encode()
    headers = [
        (b"content-type", b"text/plain"),
        (HEADER.lower().encode(), b"true"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
