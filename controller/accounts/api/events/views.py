"""WebSocket stream of the events visible to the listener."""

import asyncio
import json
import logging
from fnmatch import fnmatchcase
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from redis.exceptions import RedisError

from controller.accounts.engine.scopes import NO_SITE
from controller.base.events import CHANNEL
from controller.base.redis import async_waiting_client
from controller.dialects.consumers import (
    BAD_MESSAGE,
    NOT_PERMITTED,
    NOT_SIGNED_IN,
    TOO_SLOW,
    Consumer,
)

log = logging.getLogger(__name__)

MOST_WAITING = 1000
MOST_PATTERNS = 50
PAUSE_SECONDS = 1.0
POLICY = 1008
# Keys of an event that only control who receives it.
UNTOLD = frozenset({"permission", "has_site", "people"})


class Hub:
    """Single Redis subscription of a process, shared by all its listeners."""

    def __init__(self) -> None:
        self.listeners: set[EventConsumer] = set()
        self.reader: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()

    async def join(self, listener: "EventConsumer") -> None:
        self.listeners.add(listener)
        if self.reader is None or self.reader.done():
            self.ready.clear()
            self.reader = asyncio.create_task(self.read())
        await self.ready.wait()

    def leave(self, listener: "EventConsumer") -> None:
        self.listeners.discard(listener)
        if not self.listeners and self.reader is not None:
            self.reader.cancel()
            self.reader = None

    async def read(self) -> None:
        while True:
            try:
                await self.subscribe()
            except (RedisError, OSError) as error:
                log.warning("Redis is away, events are lost: %s", error)
                self.ready.set()
            await asyncio.sleep(PAUSE_SECONDS)

    async def subscribe(self) -> None:
        async with async_waiting_client() as redis, redis.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            async for message in pubsub.listen():
                if message["type"] == "subscribe":
                    self.ready.set()
                elif message["type"] == "message":
                    event = json.loads(message["data"])
                    for listener in self.listeners:
                        listener.offer(event)


_hubs: dict[int, Hub] = {}


def hub() -> Hub:
    """Return the hub of this event loop; each server process has one loop."""
    loop = asyncio.get_running_loop()
    found = _hubs.get(id(loop))
    if found is None:
        _hubs.clear()
        found = _hubs[id(loop)] = Hub()
    return found


class EventConsumer(Consumer):
    """Events of all rows that the listener may read.

    ``{"type": "subscribe", "events": ["device.*"], "ids": ["…"]}`` restricts what is sent;
    ``{"type": "ping"}`` is answered by a pong.
    """

    patterns: list[str] = ["*"]
    ids: frozenset[str] = frozenset()
    sender: "asyncio.Task[None] | None" = None

    async def on_open(self) -> None:
        self.waiting: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self.hub = hub()
        await self.hub.join(self)
        await self.greet()
        self.sender = asyncio.create_task(self.send_all())

    async def greet(self) -> None:
        await self.send_event({"type": "ready", "user": self.user.get_username()})

    async def on_close(self) -> None:
        self.hub.leave(self)
        if self.sender is not None:
            self.sender.cancel()

    async def on_message(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "ping":
                await self.send_event({"type": "pong"})
            case "subscribe":
                await self.narrow(message.get("events", ["*"]), message.get("ids", []))
            case _:
                await self.refuse(BAD_MESSAGE, "Send subscribe or ping.")

    async def narrow(self, patterns: Any, ids: Any) -> None:
        for given in (patterns, ids):
            texts = isinstance(given, list) and all(isinstance(one, str) for one in given)
            if not texts or len(given) > MOST_PATTERNS:
                await self.refuse(
                    BAD_MESSAGE, f"events and ids are lists of up to {MOST_PATTERNS} texts."
                )
                return
        self.patterns, self.ids = patterns, frozenset(ids)
        await self.send_event({"type": "subscribed", "events": patterns, "ids": ids})

    def offer(self, event: dict[str, Any]) -> None:
        """Queue the event if it is subscribed to and visible; close slow listeners."""
        if not self.wants(event) or not self.may_know(event):
            return
        try:
            self.waiting.put_nowait(json.dumps(self.shape(event)))
        except asyncio.QueueFull:
            self.hub.leave(self)
            self.too_slow = asyncio.create_task(
                self.close(TOO_SLOW, reason="Too many events wait to be read.")
            )

    def shape(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return the event as it is sent."""
        return {k: v for k, v in event.items() if k not in UNTOLD}

    def wants(self, event: dict[str, Any]) -> bool:
        if self.ids and str(event["id"]) not in self.ids:
            return False
        return any(fnmatchcase(event["type"], pattern) for pattern in self.patterns)

    def may_know(self, event: dict[str, Any]) -> bool:
        owner, site = event["organization_id"], event["site_id"]
        place = (UUID(site) if site else None) if event["has_site"] else NO_SITE
        people = event["people"]
        is_theirs = people is None or self.user.is_superuser or str(self.user.pk) in people
        return is_theirs and self.user.has_perm_in(
            event["permission"], UUID(owner) if owner else None, place
        )

    async def send_all(self) -> None:
        while True:
            await self.send(text_data=await self.waiting.get())


class VisibleEventConsumer(EventConsumer):
    """Events for those alone who may see what the socket is about; others are closed at once."""

    is_joined = False

    def is_visible(self) -> bool:
        """Return whether the user may see what the socket is about. It may ask the database."""
        return True

    async def on_open(self) -> None:
        if not await database_sync_to_async(self.is_visible)():
            await self.close(NOT_PERMITTED)
            return
        self.is_joined = True
        await super().on_open()

    async def greet(self) -> None:
        """Say nothing: OpenWISP's sockets begin with the first event."""

    async def on_close(self) -> None:
        if self.is_joined:
            await super().on_close()


class WebClientConsumer(EventConsumer):
    """The same events at the address and in the words of FreeSDN's web client."""

    async def on_open(self) -> None:
        # Nothing is sent before the client subscribes; its ids are filters that it sets later.
        self.patterns = []
        await super().on_open()

    async def refuse(self, code: int, sentence: str) -> None:
        # By this code the client knows that it has to refresh its tokens.
        await super().refuse(POLICY if code == NOT_SIGNED_IN else code, sentence)

    async def send_event(self, message: dict[str, Any]) -> None:
        if message.get("type") == "ready":
            message = {"type": "connected", "user": message["user"]}
        await super().send_event(message)

    async def on_message(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "ping":
                await self.send_event({"type": "pong"})
            case "subscribe":
                await self.subscribe(message.get("subscriptions"))
            case "unsubscribe":
                gone = message.get("subscriptions") or self.patterns
                self.patterns = [one for one in self.patterns if one not in gone]
                await self.send_event({"type": "unsubscribed"})
            case "set_filters":
                await self.send_event({"type": "filters_set"})
            case _:
                await self.refuse(BAD_MESSAGE, "Send subscribe, unsubscribe or ping.")

    async def subscribe(self, patterns: Any) -> None:
        texts = isinstance(patterns, list) and all(isinstance(one, str) for one in patterns)
        if not texts or len(patterns) > MOST_PATTERNS:
            await self.refuse(
                BAD_MESSAGE, f"subscriptions is a list of up to {MOST_PATTERNS} texts."
            )
            return
        self.patterns = [*dict.fromkeys([*self.patterns, *patterns])][:MOST_PATTERNS]
        await self.send_event({"type": "subscribed", "subscriptions": self.patterns})

    def wants(self, event: dict[str, Any]) -> bool:
        name = client_name(event)
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)

    def shape(self, event: dict[str, Any]) -> dict[str, Any]:
        payload = {"id": event["id"], **(event.get("data") or {})}
        inner = {"event_type": client_name(event), "payload": payload, "at": event.get("at")}
        return {"type": "event", "event": inner}


def client_name(event: dict[str, Any]) -> str:
    """Return the event's type as the client knows it."""
    kind, data = str(event["type"]), event.get("data") or {}
    if kind == "change.progress":
        return f"controller.change.{data.get('state', 'updated')}"
    if kind == "discovery.progress" and data.get("state") == "completed":
        return "discovery.completed"
    return kind
