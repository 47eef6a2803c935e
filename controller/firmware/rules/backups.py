"""Backups of devices' settings before they are flashed."""

from controller.firmware.models import ConfigurationBackup, Upgrade

KEPT = 3


def keep_backup(upgrade: Upgrade, archive: bytes, version: str) -> ConfigurationBackup:
    """Store an archive encrypted; of each device the newest three stay."""
    row = ConfigurationBackup.objects.create(
        device_id=upgrade.device_id, upgrade=upgrade, version=version, size=len(archive),
        archive=archive,
    )  # fmt: skip
    mine = ConfigurationBackup.objects.filter(device=upgrade.device_id)
    newest = mine.order_by("-created").values_list("pk", flat=True)[:KEPT]
    mine.exclude(pk__in=list(newest)).delete()
    return row
