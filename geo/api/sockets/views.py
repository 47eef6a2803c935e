"""WebSockets of locations, as OpenWISP has them."""

import asyncio
from typing import Any

from channels.db import database_sync_to_async

from controller.accounts.api.events.views import MOST_WAITING, EventConsumer, hub
from controller.dialects.consumers import NOT_PERMITTED
from geo.models import Location
from geo.rules.locations import CHANGED

Message = dict[str, Any]


class LocationsConsumer(EventConsumer):
    """Every location that the user may read, whenever it changes."""

    permission = "location:read"
    is_joined = False

    async def on_open(self) -> None:
        if not await database_sync_to_async(self.is_visible)():
            await self.close(NOT_PERMITTED)
            return
        self.waiting = asyncio.Queue(MOST_WAITING)
        self.hub = hub()
        await self.hub.join(self)
        self.is_joined = True
        self.sender = asyncio.create_task(self.send_all())

    async def on_close(self) -> None:
        if self.is_joined:
            await super().on_close()

    async def on_message(self, message: Message) -> None:
        """Answer a ping; there is nothing else to ask for."""
        if message.get("type") == "ping":
            await self.send_event({"type": "pong"})

    def is_visible(self) -> bool:
        return True

    def wants(self, event: Message) -> bool:
        return bool(event["type"] == CHANGED)

    def shape(self, event: Message) -> Message:
        return {"id": event["id"], **event["data"]}


class LocationConsumer(LocationsConsumer):
    """One location; the socket of one that is not visible is closed at once."""

    @property
    def pk(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["pk"])

    def is_visible(self) -> bool:
        rows = Location.objects.visible_to(self.user, self.permission)
        return bool(rows.filter(pk=self.pk).exists())

    def wants(self, event: Message) -> bool:
        return super().wants(event) and event["id"] == self.pk

    def shape(self, event: Message) -> Message:
        return {name: event["data"][name] for name in ("geometry", "address")}
