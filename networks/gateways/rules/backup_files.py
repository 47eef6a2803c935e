"""Use of stored backups: download, and restore on the gateway."""

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.base.downloads import file_response
from controller.base.errors import Refused
from networks.gateways.engine.features.restores import RESTORES
from networks.gateways.models import VENDOR_NAMES, Change, GatewayBackup
from networks.gateways.rules import changes
from networks.gateways.rules.backups import file_of

# Why the configurations of a vendor go back by hand.
UNRESTORED = {
    "unifi": _(
        "UniFi has no published call that takes a backup file: download it here, and restore it "
        "on the console, under Settings > System > Backups."
    ),
    "omada": _(
        "Omada restores only files that are on the controller itself, and gives none of them: "
        "compare the backups, and stage what differs."
    ),
    "proxmox": _(
        "Proxmox VE has no call that saves or restores the configuration of its nodes: compare "
        "the backups, and stage what differs."
    ),
}
TAKES_NONE = _("%(vendor_names)s takes no configuration back over its API.")


def download_response(row: GatewayBackup, *, by: User) -> HttpResponse:
    """Return the stored file as a download, and record that in the audit log."""
    file = file_of(row)
    record_audit("gateway.backup_downloaded", row, by=by)
    return file_response(
        f"{row.gateway.name}-{row.created:%Y-%m-%d-%H%M}-{file.name}", file.contents
    )


def stage_restore(row: GatewayBackup, *, by: User, notes: str = "") -> Change:
    """Stage the restore of a backup. Raises Refused if the vendor's API restores none."""
    feature = RESTORES.get(row.gateway.vendor)
    if feature is None:
        raise Refused(
            str(UNRESTORED.get(row.gateway.vendor, TAKES_NONE))
            % {"vendor_names": VENDOR_NAMES[row.gateway.vendor]}
        )
    return changes.stage(
        row.gateway, feature=feature, operation="create", payload={"backup": str(row.pk)},
        notes=notes or f"Restores the backup of {row.created:%Y-%m-%d %H:%M} UTC", by=by,
    )  # fmt: skip
