"""Questions of overlay agents, held until there is something new for them.

An agent asks what has changed, with ``?wait=1``. If nothing has, Django answers 204 and names
the node; the question then waits here, without a thread, until the node is woken by a message
in Redis, and is asked again before it is answered, or until its time is over.
"""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

from redis.exceptions import RedisError

from controller.base.redis import async_waiting_client
from controller.wsgi_bridge import (
    ClientGone,
    Message,
    Receive,
    Scope,
    Send,
    read_body,
    wait_for_disconnect,
)
from networks.overlay.rules.direct_path_signals import CHANNEL

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = "/api/join/ways/"
BODY_LIMIT = 64 * 1024
MOST_WAITING = 20_000
# Many that are woken at once ask again one after the other.
ASKED_PER_SECOND = 200
RETRY_SECONDS = 2.0
NOTHING_NEW = 204
MOST_SECONDS = 60

log = logging.getLogger(__name__)


class Waking:
    """Wakes held questions in this process."""

    def __init__(self) -> None:
        self.waiting: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self.woken: dict[int, float] = {}
        self.count = 0
        self.listener: asyncio.Task[None] | None = None

    async def wait(self, node: int, since: float, seconds: float) -> bool:
        """Wait until the node is woken, at most for so long; not at all if it was meanwhile.

        Returns whether it was woken.
        """
        if self.woken.get(node, 0.0) >= since:
            return True
        if self.count >= MOST_WAITING:
            return False
        if self.listener is None or self.listener.done():
            self.listener = asyncio.create_task(self.listen())
        event = asyncio.Event()
        self.waiting[node].add(event)
        self.count += 1
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self.count -= 1
            self.waiting[node].discard(event)
            if not self.waiting[node]:
                del self.waiting[node]

    async def listen(self) -> None:
        while self.count:
            try:
                async with async_waiting_client() as redis, redis.pubsub() as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    async for message in pubsub.listen():
                        if message["type"] == "message":
                            self.wake([int(one) for one in message["data"].split()])
            except (RedisError, OSError) as error:
                log.warning("Redis is away, agents learn of new ways later: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    def wake(self, nodes: list[int]) -> None:
        now = time.monotonic()
        loop = asyncio.get_running_loop()
        self.woken = {
            node: at for node, at in self.woken.items() if now - at < MOST_SECONDS
        } | dict.fromkeys(nodes, now)
        for node in nodes:
            for event in self.waiting.get(node, ()):
                loop.call_later(random.uniform(0, len(nodes) / ASKED_PER_SECOND), event.set)  # noqa: S311 - no secret


class WaysFastPath:
    """ASGI: holds questions of overlay agents, and hands everything else on."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.waking = Waking()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_held = (
            scope["type"] == "http"
            and scope["path"] == PATH
            and b"wait=1" in scope["query_string"]
        )
        if not is_held:
            await self.application(scope, receive, send)
            return
        body = BytesIO()
        with suppress(ClientGone):
            await read_body(scope, body, receive, BODY_LIMIT)
            await self.hold(scope, body.getvalue(), receive, send)

    async def hold(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        answer = await self.ask(scope, body)
        node, seconds = held(answer[0])
        if node:
            gone = asyncio.ensure_future(wait_for_disconnect(receive))
            waiting = asyncio.ensure_future(
                self.waking.wait(node, began, min(seconds, MOST_SECONDS))
            )
            try:
                await asyncio.wait({gone, waiting}, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    return
                if waiting.result():
                    answer = await self.ask(scope, body)
            finally:
                gone.cancel()
                waiting.cancel()
        for message in answer:
            await send(message)

    async def ask(self, scope: Scope, body: bytes) -> list[Message]:
        """Return the messages of Django's answer."""
        answer: list[Message] = []
        is_read = asyncio.Event()

        async def receive() -> Message:
            if is_read.is_set():
                await asyncio.Event().wait()
            is_read.set()
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            answer.append(message)

        await self.application(dict(scope), receive, send)
        return answer


def held(start: Any) -> tuple[int, int]:
    """Return the node and the seconds of an answer that says to wait; zeros of another."""
    headers = dict(start.get("headers", ()))
    words = headers.get(b"muster-wait", b"").split()
    if start.get("status") != NOTHING_NEW or len(words) != 2:  # noqa: PLR2004 - node and seconds
        return 0, 0
    return int(words[0]), int(words[1])
