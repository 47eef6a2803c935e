"""WebSockets of locations, as OpenWISP has them."""

from typing import Any

from controller.accounts.api.events.views import VisibleEventConsumer
from geo.models import Location
from geo.rules.locations import CHANGED

Message = dict[str, Any]


class LocationsConsumer(VisibleEventConsumer):
    """Every location that the user may read, whenever it changes."""

    permission = "location:read"

    async def on_message(self, message: Message) -> None:
        """Answer a ping; there is nothing else to ask for."""
        if message.get("type") == "ping":
            await self.send_event({"type": "pong"})

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
