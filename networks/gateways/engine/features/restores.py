"""Restores of stored backups, one for each vendor that takes a configuration back.

They are staged from a backup and not from the lists of features: their payload names the backup.
"""

from collections.abc import Mapping

from networks.gateways.engine.features.feature import Feature

BACKUP_ID = {
    "type": "string",
    "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
}


def restore(vendor: str, action: str) -> Feature:
    return Feature(
        vendor, f"{vendor}.backup.restore_stored", action=action, operations=("create",),
        catastrophic=True, restores=True, properties={"backup": BACKUP_ID},
        required=("backup",), example={"backup": "00000000-0000-4000-8000-000000000000"},
    )  # fmt: skip


# The action is the vendor's last call of it, by which `started` finds what it reads.
RESTORES: Mapping[str, Feature] = {
    one.vendor: one
    for one in (
        restore("mikrotik", "system/reset-configuration"),
        restore("opnsense", "core/system/reboot"),
        restore("pfsense", "diagnostics/reboot"),
        restore("openwrt", "system/reboot"),
    )
}
