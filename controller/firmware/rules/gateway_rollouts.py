"""Firmware of vendors' gateways in waves: each update is a staged change of its gateway."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.base.events import event_for, publish
from controller.base.values import mac_address
from controller.configs.engine.waves import assign_waves
from controller.configs.rules import waves
from controller.firmware.engine.vendors import VENDORS, spelled
from controller.firmware.models import GatewayRollout, GatewayUpgrade
from controller.notifications.rules.notices import record_notices
from networks.gateways.models import Change, Gateway
from networks.gateways.rules.changes import feature_of, stage
from networks.gateways.rules.scheduling import ApplyOptions, schedule

State = GatewayRollout.State
Of = GatewayUpgrade.State
# How long a gateway may be away before its update is called unknown.
PATIENCE = timedelta(minutes=30)
UNDER_WAY = (
    Change.State.SCHEDULED, Change.State.APPLYING, Change.State.VERIFYING,
)  # fmt: skip
# What the states of a change mean that need no further look.
MEANS: Mapping[str, tuple[GatewayUpgrade.State, str]] = {
    Change.State.DRAFT: (Of.ASKED, ""),
    Change.State.PENDING: (Of.ASKED, "Somebody else approves the change on its page."),
    Change.State.UNKNOWN: (Of.UNKNOWN, "It is not known whether the gateway took the call."),
    Change.State.FAILED: (Of.FAILED, "The gateway refused."),
    Change.State.DISCARDED: (Of.LEFT, "The change was discarded."),
    Change.State.EXPIRED: (Of.LEFT, "Nobody applied the change in time."),
    Change.State.ROLLED_BACK: (Of.FAILED, "The change was rolled back."),
}


@transaction.atomic
def create(*, author: User, **values: Any) -> GatewayRollout:
    """Create a draft; raise Refused for targets that are not known."""
    row = GatewayRollout(author=author, **values)
    row.checked(leave_out={"author"})
    targets_of(row)
    row.save()
    return row


def targets_of(row: GatewayRollout) -> list[tuple[Gateway, str]]:
    """Return the gateways of a rollout, each with the MAC address of a device behind it."""
    kind = VENDORS[row.vendor]
    known = {
        one.name: one
        for one in Gateway.objects.filter(organization=row.organization, vendor=row.vendor)
    }
    found: dict[tuple[str, str], tuple[Gateway, str]] = {}
    for line in filter(None, map(str.strip, row.targets.splitlines())):
        name, mac = _parts(line) if kind.names_device else (line, "")
        if name not in known:
            raise Refused(
                {
                    "targets": [
                        gettext("There is no %(title)s gateway named %(name)s.")
                        % {"title": kind.title, "name": repr(name)}
                    ]
                }
            )
        found[name, mac] = known[name], mac
    if not found:
        raise Refused({"targets": [gettext("Name at least one gateway.")]})
    return list(found.values())


def _parts(line: str) -> tuple[str, str]:
    name, _, mac = line.rpartition(" ")
    try:
        return name.strip(), mac_address(mac)
    except ValueError as error:
        raise Refused(
            {
                "targets": [
                    gettext("%(line)s does not end with the MAC address of a device.")
                    % {"line": repr(line)}
                ]
            }
        ) from error


@transaction.atomic
def start(rollout: GatewayRollout) -> GatewayRollout:
    """Distribute the gateways over the waves and stage the changes of the first."""
    row = CARGO.locked(rollout.pk)
    if not row.is_draft:
        raise Conflict(gettext("It has been started already."))
    GatewayUpgrade.objects.bulk_create(
        GatewayUpgrade(
            rollout=row, gateway=gateway, mac=mac, wave=wave, old_version=gateway.version
        )
        for wave, (gateway, mac) in assign_waves(row.waves, targets_of(row))
    )
    record_audit("firmware.rollout", row, after={"vendor": row.vendor}, by=row.author)
    return waves.start(CARGO, row)


class GatewayCargo(waves.Cargo[GatewayRollout]):
    """Firmware calls to gateways."""

    model = GatewayRollout

    def publish(self, row: GatewayRollout) -> None:
        event = event_for(
            row, "firmware.rollout", "firmware:read", name=str(row), state=row.state,
            wave=row.wave, waves=len(row.waves), reason=row.reason,
            object_type="firmware.gatewayrollout",
        )  # fmt: skip
        publish(event)
        record_notices([event])

    def release(self, row: GatewayRollout) -> None:
        waiting = row.upgrades.filter(state=Of.WAITING, wave__lte=row.wave)
        for upgrade in waiting.select_related("gateway__organization", "rollout__author"):
            _begin(upgrade)

    def begin_step(self, row: GatewayRollout) -> None:
        """Update the states of gateways from their changes."""
        rows = row.upgrades.filter(state__in=GatewayUpgrade.OPEN)
        for upgrade in rows.select_related("gateway", "change", "rollout__author"):
            _follow(upgrade)

    def bad_percent(self, row: GatewayRollout, *, is_over: bool) -> tuple[int, str]:
        found = counts(row)
        text = (
            f"{found['done']} updated, {found['failed']} failed, {found['unknown']} unknown, "
            f"of {found['reached']}."
        )
        return waves.percent(found["failed"] + found["unknown"], found["reached"]), text

    def is_under_way(self, row: GatewayRollout) -> bool:
        return row.upgrades.filter(state__in=(Of.ASKED, Of.QUEUED, Of.AWAY)).exists()

    def following(self, row: GatewayRollout) -> int | None:
        waiting = row.upgrades.filter(state=Of.WAITING).order_by("wave")
        return waiting.values_list("wave", flat=True).first()

    def waits_after_last(self) -> bool:
        return False

    def finish(self, row: GatewayRollout) -> None:
        """Do nothing: unhealthy gateways have halted the rollout."""

    def give_up(self, row: GatewayRollout) -> None:
        """Leave gateways whose change was not applied; it stays for people to decide on."""
        now = timezone.now()
        row.upgrades.filter(state=Of.WAITING).update(
            state=Of.LEFT, reason=row.reason, ended=now, modified=now
        )


CARGO = GatewayCargo()
pause = partial(waves.pause, CARGO)
resume = partial(waves.resume, CARGO)
advance = partial(waves.advance, CARGO)
advance_all = partial(waves.advance_all, CARGO)


def stop(rollout: GatewayRollout) -> GatewayRollout:
    """Stop a rollout for good; changes that were staged stay on their gateways' pages."""
    return waves.stop(CARGO, rollout, State.STOPPED, "Stopped by a user.")


def discard(rollout: GatewayRollout) -> None:
    if rollout.is_active:
        raise Conflict(gettext("It is under way: stop it first."))
    rollout.delete()


def counts(row: GatewayRollout) -> dict[str, int]:
    """Return the number of reached gateways by state."""
    found: dict[str, int] = row.upgrades.aggregate(
        reached=Count("pk", filter=~Q(state__in=(Of.WAITING, Of.LEFT))),
        done=Count("pk", filter=Q(state=Of.DONE)),
        failed=Count("pk", filter=Q(state=Of.FAILED)),
        unknown=Count("pk", filter=Q(state=Of.UNKNOWN)),
    )
    return found


def _begin(row: GatewayUpgrade) -> None:
    """Stage the call and schedule it for the next maintenance window."""
    author, vendor = row.rollout.author, row.rollout.vendor
    if author is None:
        _settle(row, Of.LEFT, "Its author is gone, so nobody may change the gateway.")
        return
    payload = {"mac": spelled(vendor, row.mac)} if row.mac else {}
    try:
        row.change = stage(
            row.gateway, feature=feature_of(row.gateway, VENDORS[vendor].feature),
            operation="create", payload=payload, by=author, notes=f"Firmware rollout: {row}",
        )  # fmt: skip
    except Refused as error:
        _settle(row, Of.LEFT, str(error))
        return
    _schedule(row, author)


def _schedule(row: GatewayUpgrade, author: User) -> None:
    if row.change is None:
        return
    try:
        schedule(row.change, by=author, how=ApplyOptions(force=True, in_window=True))
    except NotPermitted as error:
        _settle(row, Of.ASKED, str(error))
    except Refused as error:
        _settle(row, Of.FAILED, str(error))
    else:
        _settle(row, Of.QUEUED, "")


def _follow(row: GatewayUpgrade) -> None:
    change = row.change
    if change is None:
        _settle(row, Of.UNKNOWN, "Its change was deleted.")
    elif change.state == Change.State.APPROVED and row.rollout.author is not None:
        _schedule(row, row.rollout.author)
    elif change.state == Change.State.APPLIED:
        _look_after(row, change)
    elif change.state in UNDER_WAY:
        _settle(row, Of.QUEUED, change.outcome)
    else:
        state, words = MEANS.get(change.state, (Of.QUEUED, ""))
        _settle(row, state, change.outcome or words)


def _look_after(row: GatewayUpgrade, change: Change) -> None:
    """Judge by the polls since the call whether the gateway is back."""
    gateway, applied = row.gateway, change.applied or timezone.now()
    if gateway.last_seen and gateway.last_seen > applied and not gateway.trouble:
        version = gateway.version or "an unknown version"
        _settle(row, Of.DONE, f"It answers again and runs {version}.")
    elif timezone.now() > applied + PATIENCE:
        _settle(row, Of.UNKNOWN, gateway.trouble or "It has not answered since the call.")
    else:
        _settle(row, Of.AWAY, gateway.trouble)


def _settle(row: GatewayUpgrade, state: GatewayUpgrade.State, reason: str) -> None:
    row.state, row.reason = state, reason
    row.ended = None if state in GatewayUpgrade.OPEN else timezone.now()
    row.save()
