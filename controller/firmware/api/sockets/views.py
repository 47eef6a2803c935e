"""WebSockets of upgrades, as OpenWISP's firmware upgrader has them."""

import json
from typing import Any

from channels.db import database_sync_to_async
from django.db.models import Prefetch
from django.utils import timezone

from controller.accounts.api.events.views import VisibleEventConsumer
from controller.devices.models import Device
from controller.firmware.api.serializers.operations import OperationSerializer
from controller.firmware.api.views.operations import with_status
from controller.firmware.engine.openwisp_words import IN_PROGRESS, PROGRESS, STATUS
from controller.firmware.models import FirmwareRollout, Upgrade

UPGRADE, ROLLOUT = "firmware.upgrade", "firmware.rollout"
MOST_OF_DEVICE = 5
Message = dict[str, Any]


class FirmwareConsumer(VisibleEventConsumer):
    """Messages about one row; the socket of a row that is not visible is closed at once."""

    permission = "firmware:read"

    @property
    def pk(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["pk"])

    async def on_message(self, message: Message) -> None:
        if message.get("type") == "request_current_state":
            await self.send_messages(await database_sync_to_async(self.current)())

    async def send_all(self) -> None:
        while True:
            event = json.loads(await self.waiting.get())
            await self.send_messages(await database_sync_to_async(self.messages)(event))

    async def send_messages(self, messages: list[Message]) -> None:
        for one in messages:
            await self.send_event(one)

    def upgrades(self) -> Any:
        """Return the upgrades that the user may see."""
        rows = Upgrade.objects.visible_to(self.user, self.permission)
        return rows.select_related("device")

    def is_visible(self) -> bool:
        raise NotImplementedError

    def current(self) -> list[Message]:
        """Return the messages that tell the present state."""
        raise NotImplementedError

    def messages(self, event: Message) -> list[Message]:
        """Return the messages about an event."""
        raise NotImplementedError


class UpgradeConsumer(FirmwareConsumer):
    """Progress of one upgrade."""

    def is_visible(self) -> bool:
        found: bool = self.upgrades().filter(pk=self.pk).exists()
        return found

    def wants(self, event: Message) -> bool:
        return bool(event["type"] == UPGRADE and event["id"] == self.pk)

    def current(self) -> list[Message]:
        return [update(row) for row in self.upgrades().filter(pk=self.pk)]

    def messages(self, event: Message) -> list[Message]:
        return self.current()


class DeviceUpgradesConsumer(FirmwareConsumer):
    """Progress of the upgrades of one device."""

    def is_visible(self) -> bool:
        rows = Device.objects.visible_to(self.user, self.permission)
        found: bool = rows.filter(pk=self.pk).exists()
        return found

    def wants(self, event: Message) -> bool:
        return bool(event["type"] == UPGRADE and event["data"].get("device") == self.pk)

    def current(self) -> list[Message]:
        rows = self.upgrades().filter(device=self.pk).order_by("-modified")
        return [update(row) for row in rows[:MOST_OF_DEVICE]]

    def messages(self, event: Message) -> list[Message]:
        return [update(row) for row in self.upgrades().filter(pk=event["id"])]


class BatchConsumer(FirmwareConsumer):
    """Progress of a rollout and of its devices."""

    def rollout(self) -> FirmwareRollout | None:
        rows = with_status().visible_to(self.user, self.permission)
        mine = Prefetch("upgrades", self.upgrades())
        found: FirmwareRollout | None = rows.filter(pk=self.pk).prefetch_related(mine).first()
        return found

    def is_visible(self) -> bool:
        return self.rollout() is not None

    def wants(self, event: Message) -> bool:
        is_ours = event["type"] == UPGRADE and event["data"].get("rollout") == self.pk
        return bool(is_ours or (event["type"] == ROLLOUT and event["id"] == self.pk))

    def current(self) -> list[Message]:
        row = self.rollout()
        if row is None:
            return []
        operations = [shown(one) for one in row.upgrades.all()]
        return [{"type": "batch_state", "batch_status": state(row), "operations": operations}]

    def messages(self, event: Message) -> list[Message]:
        row = self.rollout()
        if row is None:
            return []
        changed = [one for one in row.upgrades.all() if str(one.pk) == event["id"]]
        status = {"type": "batch_status", **state(row), "timestamp": now()}
        return [*map(progress, changed), status]


def update(row: Upgrade) -> Message:
    return {"type": "operation_update", "operation": shown(row), "timestamp": now()}


def shown(row: Upgrade) -> Message:
    found: Message = json.loads(json.dumps(OperationSerializer(row).data, default=str))
    return found


def state(row: Any) -> Message:
    statuses = [STATUS[one.state] for one in row.upgrades.all()]
    done = sum(one != IN_PROGRESS for one in statuses)
    return {"status": row.dialect_status, "completed": done, "total": len(statuses)}


def progress(row: Upgrade) -> Message:
    return {
        "type": "operation_progress",
        "operation_id": str(row.pk),
        "status": STATUS[row.state],
        "progress": PROGRESS[row.state],
        "modified": row.modified.isoformat(),
        "device_id": str(row.device_id),
        "device_name": row.device.name,
        "image_name": row.image_name or None,
        "timestamp": now(),
    }


def now() -> str:
    return timezone.now().isoformat()
