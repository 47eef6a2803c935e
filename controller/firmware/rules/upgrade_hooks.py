"""Hooks of a running upgrade: phases, downloads, backups, permission to flash."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from asgiref.sync import sync_to_async
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from controller.base.leases import LeaseHolder
from controller.configs.models import Push
from controller.firmware.drivers.contract import BeforeFlash, Phase
from controller.firmware.models import Upgrade
from controller.firmware.rules import downloads
from controller.firmware.rules.backups import keep_backup
from controller.firmware.rules.post_upgrade_checks import state_before
from controller.firmware.rules.upgrade_results import postpone
from controller.firmware.rules.upgrades import PUT_OFF, appended, publish_progress
from networks.gateways.engine import maintenance_windows

SHORT_DELAY = timedelta(minutes=1)


class RowHooks:
    """Hooks of one upgrade; a worker that lost its lease changes nothing by them."""

    def __init__(self, holder: LeaseHolder[Upgrade], row: Upgrade) -> None:
        self.holder, self.row = holder, row

    sent_text = "Flashing. From here on nothing is repeated."

    async def on_phase(self, phase: Phase, text: str) -> None:
        await sync_to_async(self.write)(text, state=phase.value, reason="")
        if phase == Phase.VERIFYING:
            await sync_to_async(downloads.revoke)(self.row)

    async def note(self, text: str) -> None:
        await sync_to_async(self.write)(text)

    async def issue_download(self) -> str:
        return await sync_to_async(downloads.issue)(self.row)

    async def keep_backup(self, archive: bytes, version: str) -> None:
        await sync_to_async(keep_backup)(self.row, archive, version)
        await self.note(f"Its settings were backed up: {len(archive)} bytes.")

    async def may_flash(self, before: BeforeFlash) -> bool:
        return await sync_to_async(self.mark_sent)(before)

    def write(self, text: str, **values: Any) -> None:
        """Add a line to the log, unless the upgrade was cancelled."""
        mine = self.holder.mine.filter(pk=self.row.pk, sent=None)
        if mine.update(modified=timezone.now(), log=appended(text), **values):
            self.row.refresh_from_db(fields=["state", "log"])
            publish_progress(self.row)

    @transaction.atomic
    def mark_sent(self, before: BeforeFlash) -> bool:
        """Mark the upgrade as sent; from now on only its outcome is queried.

        Returns False if it was cancelled or taken over, or if the window has closed.
        """
        row, pk = self.row, self.row.pk
        pushing = Push.objects.filter(
            config__device=OuterRef("device"), state=Push.State.APPLYING
        )
        if closed_until(row) or self.holder.mine.filter(Exists(pushing), pk=pk).exists():
            postpone(self.holder, row, timezone.now() + SHORT_DELAY, PUT_OFF)
            return False
        if not self.holder.mark_sent(pk):
            return False
        self.holder.mine.filter(pk=pk).update(
            boot_id=before.report.boot_id,
            old_version=before.report.version,
            old_revision=before.report.revision,
            is_marked=before.is_marked,
            state=Upgrade.State.FLASHING,
            modified=timezone.now(),
            log=appended(self.sent_text),
            **state_before(row.device_id),
        )
        row.refresh_from_db()
        publish_progress(row)
        return True


def closed_until(row: Upgrade) -> datetime | None:
    """Return when the maintenance window opens; None if it is open."""
    if row.rollout is None or not row.rollout.window:
        return None
    now = timezone.now()
    zone = ZoneInfo(row.device.site.timezone if row.device.site else "UTC")
    windows = maintenance_windows.parse(row.rollout.window)
    opening = maintenance_windows.next_opening(windows, now, zone)
    return opening if opening and opening > now else None
