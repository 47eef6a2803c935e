"""Checks by schedule and on demand: pages, names, ports, SSH servers, and iperf3 on the device."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.base.outbound.transactions import blocking
from controller.connections.rules import usable_connections
from controller.connections.rules.ssh_access import ssh_target
from controller.devices.models import Device
from controller.monitoring.drivers.active import Order, run_many
from controller.monitoring.drivers.ssh import Asked, run_on_many
from controller.monitoring.drivers.ssh import Target as SshTarget
from controller.monitoring.engine.active import Kind, Outcome, iperf_command, read_iperf
from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.report import Report
from controller.monitoring.models import Check, CheckRun, MonitoredDevice, Sample
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.ingest import ingest
from controller.monitoring.rules.sample_history import now_seconds

BATCH = 500
# iperf3 tests run one at a time against each server, and some at once in all.
TESTS_AT_ONCE = 10
LEASE_SECONDS = 120
NO_CONNECTION = "The device has no working SSH connection to run iperf3 over."


def create_check(**values: Any) -> Check:
    """Add a check; raise Refused for parameters that its kind does not take."""
    row = Check(**values)
    check_owner(row)
    row.checked().save()
    return row


def update_check(row: Check, **values: Any) -> Check:
    for name, value in values.items():
        setattr(row, name, value)
    check_owner(row)
    row.checked().save()
    row.runs.exclude(next_run=None).update(next_run=timezone.now())
    return row


def delete_check(row: Check) -> None:
    row.delete()


def check_owner(row: Check) -> None:
    for name in ("group", "device"):
        target = getattr(row, name)
        if target is not None and target.organization_id != row.organization_id:
            raise Refused(
                {
                    name: [
                        gettext("The %(name)s belongs to another organization.")
                        % {"name": name}
                    ]
                }
            )
    if row.group is not None and row.device is not None:
        raise Refused(
            {"device": [gettext("A check is of a group or of a device, not of both.")]}
        )


def run_now(row: Check, devices: QuerySet[Device] | None = None) -> int:
    """Run a check at once on its devices, or on these of them; return on how many."""
    spread([row])
    runs = row.runs.filter(monitored__device__is_deactivated=False)
    if devices is not None:
        runs = runs.filter(monitored__device__in=devices)
    count = runs.update(next_run=timezone.now())
    if not count:
        raise Refused(gettext("There is no device with a management address to check."))
    return count


def spread(checks: Iterable[Check]) -> None:
    """Give each device of these checks its turn, and take it from those that left."""
    for row in checks:
        wanted = Device.objects.filter(
            organization=row.organization_id, is_deactivated=False, management_ip__isnull=False
        )
        if row.device_id is not None:
            wanted = wanted.filter(pk=row.device_id)
        elif row.group_id is not None:
            wanted = wanted.filter(group=row.group_id)
        fresh = wanted.filter(monitoring=None)
        MonitoredDevice.objects.bulk_create(
            [MonitoredDevice(device=one) for one in fresh], ignore_conflicts=True
        )
        numbers = MonitoredDevice.objects.filter(device__in=wanted)
        row.runs.exclude(monitored__in=numbers).delete()
        lacking = numbers.exclude(
            Exists(CheckRun.objects.filter(parent=row, monitored=OuterRef("pk")))
        )
        first = timezone.now() if row.seconds else None
        CheckRun.objects.bulk_create(
            [CheckRun(parent=row, monitored=one, next_run=first) for one in lacking],
            ignore_conflicts=True,
        )


def run_due() -> int:
    """Make the checks whose turn has come, and return how many those were."""
    spread(Check.objects.filter(enabled=True, organization__is_active=True))
    done = 0
    while runs := lease(~Q(parent__kind=Kind.IPERF3), BATCH):
        orders = [
            Order(run.pk, Kind(run.parent.kind), str(run.monitored.device.management_ip),
                  run.parent.parameters)
            for run in runs
        ]  # fmt: skip
        keep(runs, blocking(run_many)(orders))
        done += len(runs)
        if len(runs) < BATCH:
            break
    return done


def test_bandwidth_due() -> int:
    """Run the iperf3 tests whose turn has come, one at a time against each server."""
    done = 0
    while runs := lease(Q(parent__kind=Kind.IPERF3), TESTS_AT_ONCE, by_server=True):
        keep(runs, tested(runs))
        done += len(runs)
    return done


@transaction.atomic
def lease(which: Q, most: int, *, by_server: bool = False) -> list[CheckRun]:
    """Return runs that are due, as this worker's own until the lease ends.

    Whoever takes a run moves its next turn on: a lost worker costs one round.
    """
    now = timezone.now()
    rows = CheckRun.objects.filter(
        which,
        Q(leased_until=None) | Q(leased_until__lt=now),
        next_run__lte=now,
        parent__enabled=True,
        parent__organization__is_active=True,
        monitored__device__is_deactivated=False,
        monitored__device__management_ip__isnull=False,
    ).order_by("next_run", "pk")
    rows = rows.select_related("parent", "monitored__device")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(of=("self",), skip_locked=True)
    found = list(rows[: most if not by_server else BATCH])
    if by_server:
        found = one_for_each_server(found, now)[:most]
    for run in found:
        run.leased_until = now + timedelta(seconds=lease_seconds(run))
        run.next_run = (
            now + timedelta(seconds=run.parent.seconds) if run.parent.seconds else None
        )
    CheckRun.objects.bulk_update(found, ["leased_until", "next_run"])
    return found


def lease_seconds(run: CheckRun) -> int:
    if run.parent.kind != Kind.IPERF3:
        return LEASE_SECONDS
    return iperf_command(run.parent.parameters)[1] + LEASE_SECONDS


def one_for_each_server(runs: Sequence[CheckRun], now: datetime) -> list[CheckRun]:
    """Return the first run of each server that no test is running against."""
    busy = CheckRun.objects.filter(parent__kind=Kind.IPERF3, leased_until__gte=now)
    taken = {server_of(run) for run in busy.select_related("parent")}
    found = []
    for run in runs:
        if (server := server_of(run)) not in taken:
            taken.add(server)
            found.append(run)
    return found


def server_of(run: CheckRun) -> tuple[str, int]:
    parameters = run.parent.parameters
    return str(parameters.get("server", "")).lower(), int(parameters.get("port", 5201))


def tested(runs: Sequence[CheckRun]) -> dict[int, Outcome]:
    """Run iperf3 on these devices over SSH."""
    ways = usable_connections(run.monitored.device_id for run in runs)
    found: dict[int, Outcome] = {}
    orders = []
    for run in runs:
        way = ways.get(run.monitored.device_id)
        if way is None:
            found[run.pk] = Outcome(is_good=False, reason=NO_CONNECTION)
            continue
        try:
            target = ssh_target(way)
        except Refused as error:
            found[run.pk] = Outcome(is_good=False, reason=str(error))
            continue
        command, seconds = iperf_command(run.parent.parameters)
        known = SshTarget(str(run.pk), target.address, target.login, target.host_key)
        orders.append(Asked(known, command, seconds))
    for one in blocking(run_on_many)(orders):
        found[int(one.id)] = (
            Outcome(is_good=False, reason=one.reason)
            if one.reason
            else read_iperf(one.status, one.output)
        )
    return found


def keep(runs: Sequence[CheckRun], found: Mapping[int, Outcome]) -> None:
    """Keep what came of these runs: on their rows, and as samples."""
    now = now_seconds()
    reports: dict[UUID, Report] = {}
    for run in runs:
        outcome = found[run.pk]
        run.at, run.is_good, run.leased_until = now, outcome.is_good, None
        run.reason, run.milliseconds = outcome.reason[:255], outcome.milliseconds
        report = reports.setdefault(run.monitored.device_id, Report())
        name = run.parent.name
        report.put(Metric.CHECK, float(outcome.is_good), name)
        report.put(Metric.CHECK_TIME, outcome.milliseconds, name)
        for metric, value in outcome.values.items():
            report.put(metric, value, name)
    with transaction.atomic():
        CheckRun.objects.bulk_update(
            runs, ["at", "is_good", "leased_until", "reason", "milliseconds"]
        )
        ingest(
            [
                Arrival(device, now, now, report, kind=Sample.Kind.ACTIVE)
                for device, report in reports.items()
            ]
        )


def measured(
    ids: Sequence[int], now: int
) -> dict[int, dict[tuple[str, str], tuple[float, int]]]:
    """Return what checks found last, of each of these rows, as far as it is not outdated."""
    found: dict[int, dict[tuple[str, str], tuple[float, int]]] = {}
    rows = CheckRun.objects.filter(monitored__in=ids, at__isnull=False, parent__enabled=True)
    for number, name, seconds, at, is_good in rows.values_list(
        "monitored", "parent__name", "parent__seconds", "at", "is_good"
    ):
        # One that runs on demand alone says nothing of now.
        if seconds and now - at <= 3 * seconds + LEASE_SECONDS:
            found.setdefault(number, {})[Metric.CHECK, name] = float(is_good), at
    return found
