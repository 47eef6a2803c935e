"""Scans: start, drive, cancel, resume."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import Organization, Site, User
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.base.events import event_for, publish
from controller.base.leases import FREE, LeaseHolder
from controller.celery import enqueue_on_commit
from controller.devices.models import Device
from controller.discovery.drivers.contract import (
    METHODS,
    USUAL_COMMUNITY,
    USUAL_METHODS,
    USUAL_PORTS,
    HostReport,
    Question,
)
from controller.discovery.drivers.prober import Probing
from controller.discovery.engine import targets
from controller.discovery.models import SCANS, Finding, Scan
from controller.discovery.rules.host_probes import as_finding, check_permitted

RUN = "discovery:run"
# Per organization; more would only delay each other.
MOST_ACTIVE = 3
MOST_TARGETS, MOST_PORTS = 256, 64
# Seconds between saving findings and checking for cancellation.
TURN_SECONDS = 0.4
GRACE = timedelta(seconds=5)


@transaction.atomic
def start(
    organization: Organization,
    *,
    by: User,
    wanted: Sequence[str],
    excluded: Sequence[str] = (),
    site: Site | None = None,
    methods: Sequence[str] = USUAL_METHODS,
    ports: Sequence[int] = USUAL_PORTS,
    **pace: Any,
) -> Scan:
    """Start a scan; ``pace`` may contain ``at_once`` (hosts) and ``seconds`` (timeout)."""
    if not by.has_perm_on(RUN, site or organization):
        raise NotPermitted(gettext("Permission denied: requires '%(run)s'") % {"run": RUN})
    if site and site.organization_id != organization.pk:
        raise Refused({"site_id": [gettext("The site belongs to another organization.")]})
    ranges = _ranges("targets", wanted)
    without = _ranges("exclude_targets", excluded)
    check_permitted("targets", ranges)
    if unknown := set(methods) - set(METHODS):
        raise Refused(
            {
                "scan_methods": [
                    gettext("%(min)s is none of %(methods)s.")
                    % {"min": min(unknown), "methods": ", ".join(METHODS)}
                ]
            }
        )
    if len(ports) > MOST_PORTS:
        raise Refused(
            {
                "tcp_ports": [
                    gettext("These are more than %(most_ports)s.") % {"most_ports": MOST_PORTS}
                ]
            }
        )
    # Row lock: of two concurrent starts, the second sees the first.
    Organization.objects.select_for_update().get(pk=organization.pk)
    if (
        Scan.objects.filter(organization=organization, state__in=Scan.ACTIVE).count()
        >= MOST_ACTIVE
    ):
        raise Conflict(
            gettext("%(most_active)s scans are under way; wait for one, or cancel it.")
            % {"most_active": MOST_ACTIVE}
        )
    scan = Scan(
        organization=organization, site=site, author=by, targets=list(wanted),
        excluded=list(excluded), methods=list(methods), ports=sorted(set(ports)),
        total=targets.count(ranges, without), **pace,
    )  # fmt: skip
    scan.checked().save()
    enqueue_on_commit("controller.discovery.tasks.scan", str(scan.pk))
    return scan


def _ranges(name: str, texts: Sequence[str]) -> list[targets.Range]:
    if len(texts) > MOST_TARGETS:
        raise Refused(
            {
                name: [
                    gettext("These are more than %(most_targets)s.")
                    % {"most_targets": MOST_TARGETS}
                ]
            }
        )
    try:
        return [targets.parse(text) for text in texts]
    except ValueError as error:
        raise Refused({name: [str(error)]}) from error


def cancel(scan: Scan, *, by: User) -> Scan:
    """Cancel a scan; its worker stops within a second. Raises Conflict if it has ended."""
    _check_may(by, scan)
    stopped = _active(scan).update(
        state=Scan.State.CANCELLED, ended=timezone.now(), community="", **FREE
    )
    if not stopped:
        raise Conflict(
            gettext("The scan is %(state_of)s already.") % {"state_of": _state_of(scan)}
        )
    scan.refresh_from_db()
    _tell(scan)
    return scan


def _state_of(scan: Scan) -> str:
    return str(Scan.objects.values_list("state", flat=True).get(pk=scan.pk))


@transaction.atomic
def remove(scan: Scan, *, by: User) -> None:
    _check_may(by, scan)
    if scan.state in Scan.ACTIVE:
        raise Conflict(gettext("The scan is under way. Cancel it first."))
    scan.delete()


def _check_may(by: User, scan: Scan) -> None:
    if not by.has_perm_on(RUN, scan):
        raise NotPermitted(gettext("Permission denied: requires '%(run)s'") % {"run": RUN})


def _active(scan: Scan) -> Any:
    return Scan.objects.filter(pk=scan.pk, state__in=Scan.ACTIVE)


def drive(scan: Scan) -> bool:
    """Run a scan, or resume a lost one. Returns False if another worker drives it."""
    now = timezone.now()
    holder = LeaseHolder(SCANS)
    if not holder.lease(1, Scan.objects.filter(pk=scan.pk)):
        return False
    _active(scan).update(driven=now, began=scan.began or now, scanned=F("position"))
    scan.refresh_from_db()
    try:
        is_whole = _go_through(scan, holder)
    except OSError as error:
        # For example if this machine is out of sockets.
        _end(scan, holder, Scan.State.FAILED, trouble=str(error)[:255])
        return True
    if is_whole:
        _end(scan, holder, Scan.State.COMPLETED)
    return True


def _go_through(scan: Scan, holder: LeaseHolder[Scan]) -> bool:
    """Ask all hosts. Returns False if the scan was cancelled, or taken over."""
    ranges = [targets.parse(text) for text in scan.targets]
    without = [targets.parse(text) for text in scan.excluded]
    order = list(targets.hosts(ranges, without, scan.position))
    waiting = dict.fromkeys(order)
    start_at = scan.position
    question = Question(
        tuple(scan.methods), tuple(scan.ports), scan.seconds,
        community=scan.community or USUAL_COMMUNITY,
    )  # fmt: skip
    with Probing(iter(order), question, at_once=scan.at_once) as probing:
        while not probing.is_done:
            done = probing.results(TURN_SECONDS)
            for address, _ in done:
                del waiting[address]
            # Dictionaries keep their order: the first pending host is where another worker
            # resumes.
            first = next(iter(waiting), None)
            position = start_at + (order.index(first) if first else len(order))
            found = [report for _, report in done if report]
            if not _note(scan, holder, found, asked=len(done), position=position):
                return False
    return True


def _note(
    scan: Scan,
    holder: LeaseHolder[Scan],
    found: list[HostReport],
    *,
    asked: int,
    position: int,
) -> bool:
    """Save findings and progress; return False if the scan has been cancelled."""
    with transaction.atomic():
        holder.renew_if_due()
        going_on: int = (_active(scan) & holder.mine).update(
            scanned=F("scanned") + asked, position=position, driven=timezone.now(),
            found=F("found") + _save_findings(scan, found),
        )  # fmt: skip
    if asked:
        _tell(scan)
    return bool(going_on)


def _save_findings(scan: Scan, found: Iterable[HostReport]) -> int:
    known = {
        str(device.management_ip): device
        for device in Device.objects.filter(
            organization=scan.organization_id, management_ip__in=[one.address for one in found]
        )
    }
    rows = [as_finding(one, scan=scan, device=known.get(one.address)) for one in found]
    kept = Finding.objects.filter(scan=scan, address__in=[row.address for row in rows])
    again = kept.count() if rows else 0
    Finding.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["scan", "address"],
        update_fields=["ports", "ways", "said", "vendor", "device_type", "mac_address", "hostname", "manufacturer"],
    )  # fmt: skip
    return len(rows) - again


def _end(scan: Scan, holder: LeaseHolder[Scan], state: str, trouble: str = "") -> None:
    values = {"state": state, "ended": timezone.now(), "trouble": trouble, "community": ""}
    if (_active(scan) & holder.mine).update(**values, **FREE):
        scan.refresh_from_db()
        _tell(scan)


def _tell(scan: Scan) -> None:
    """Publish a hint to pages that show the scan; they fetch what they may see."""
    publish(event_for(scan, "discovery.progress", "discovery:read", scan_id=str(scan.pk)))


def resume_lost() -> int:
    """Enqueue scans without a message or with a dead worker. Returns their number."""
    SCANS.put_back()
    # The message of a new scan is given its time.
    rows = list(SCANS.due(timezone.now() - GRACE).values_list("pk", flat=True))
    for pk in rows:
        enqueue_on_commit("controller.discovery.tasks.scan", str(pk))
    return len(rows)
