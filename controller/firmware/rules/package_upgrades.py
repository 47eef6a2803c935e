"""Updates of the packages of Debian hosts, carried out by the queue of upgrades."""

from collections.abc import Sequence
from dataclasses import asdict

from asgiref.sync import sync_to_async
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy

from controller.accounts.models import Organization, User
from controller.base.errors import Refused
from controller.connections.drivers.contract import Shell
from controller.connections.models import DeviceConnection
from controller.devices.models import Device
from controller.firmware.drivers.contract import BeforeFlash
from controller.firmware.drivers.debian import PackageOrder, finish, read_host, system_report
from controller.firmware.engine.apt import HostReport, PlannedPackage, judge_packages
from controller.firmware.engine.judging import Judgment, Verdict
from controller.firmware.engine.reports import SystemReport
from controller.firmware.models import FirmwareRollout, Upgrade
from controller.firmware.rules.upgrade_hooks import RowHooks
from controller.firmware.rules.upgrades import check_device, new_package_upgrade, queue_upgrade

NO_HOST = gettext_lazy(
    "Updates by apt are for devices whose files are pushed over SSH, as Debian hosts' are."
)


def hosts(organization: Organization | None = None) -> QuerySet[Device]:
    """Return the active devices that may be Debian hosts: those that get files over SSH."""
    ways = DeviceConnection.objects.by_ssh().filter(
        update_strategy=DeviceConnection.Strategy.LINUX_FILES
    )
    rows = Device.objects.filter(
        is_deactivated=False, organization__is_active=True, pk__in=ways.values("device")
    )
    return rows.filter(organization=organization) if organization else rows


def candidates(rollout: FirmwareRollout) -> QuerySet[Device]:
    """Return the hosts that a rollout of updates is for."""
    rows = hosts(rollout.organization)
    rows = rows.filter(group=rollout.group) if rollout.group else rows
    rows = rows.filter(place__location=rollout.location) if rollout.location else rows
    return rows.order_by("created", "pk")


@transaction.atomic
def start_update(
    device: Device, which: str, *, may_restart: bool = False, author: User | None = None
) -> Upgrade:
    """Queue the update of a host; raise Conflict if another upgrade is under way.

    Where the organization asks for a second person, it waits for an approval.
    """
    check_device(device)
    if not hosts().filter(pk=device.pk).exists():
        raise Refused(str(NO_HOST))
    row = new_package_upgrade(device, which, may_restart=may_restart, author=author)
    return queue_upgrade(row, author)


class PackageRowHooks(RowHooks):
    """Hooks of one update of packages."""

    sent_text = "Installing. From here on nothing is repeated."

    async def may_install(self, host: HostReport, packages: Sequence[PlannedPackage]) -> bool:
        return await sync_to_async(self.mark_planned)(host, packages)

    @transaction.atomic
    def mark_planned(self, host: HostReport, packages: Sequence[PlannedPackage]) -> bool:
        self.holder.mine.filter(pk=self.row.pk).update(
            planned=[asdict(one) for one in packages], modified=timezone.now()
        )
        return self.mark_sent(BeforeFlash(system_report(host), is_marked=False))


def order_for(row: Upgrade) -> PackageOrder:
    return PackageOrder(row.pk.hex, row.packages, may_restart=row.may_restart)


def planned(row: Upgrade) -> list[PlannedPackage]:
    return [PlannedPackage(**one) for one in row.planned]


async def ask(shell: Shell, row: Upgrade) -> tuple[SystemReport, Judgment]:
    """Ask a host how its installation went, and clean up after one that went well."""
    wanted = planned(row)
    names = [one.name for one in wanted]
    host = await read_host(shell, row.pk.hex, names)
    judgment = judge_packages(wanted, row.boot_id, host, since=row.since_flash)
    if judgment.verdict == Verdict.CONFIRMED:
        await finish(shell, row.pk.hex)
    return system_report(host), judgment
