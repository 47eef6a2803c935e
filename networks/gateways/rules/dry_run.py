"""Dry run of a change: steps, requests that would be sent, and obstacles."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Conflict, Refused
from networks.gateways.drivers.contract import Call
from networks.gateways.engine.features import MASK, Feature
from networks.gateways.engine.features.versions import parsed
from networks.gateways.models import Change
from networks.gateways.rules.approvals import is_approved, is_needed, ready
from networks.gateways.rules.backups import file_to_restore
from networks.gateways.rules.changes import may_write, sole_id
from networks.gateways.rules.conflicts import conflicting_changes
from networks.gateways.rules.diff import Difference, differences
from networks.gateways.rules.neighboring_rules import Surroundings, surroundings
from networks.gateways.rules.scheduling import ApplyOptions, next_start, permitted
from networks.gateways.rules.transitions import shown_payload
from networks.gateways.rules.visits import visit

State = Change.State
# Property names that are in no schema but may hold a secret.
SECRETIVE = re.compile(r"(?i)pass|secret|psk|private|token|auth|^x_|key$")


@dataclass(frozen=True)
class DryRun:
    """Result of a dry run. Nothing was written."""

    steps: list[dict[str, Any]]
    requests: list[Call]
    differences: list[Difference]
    drift: bool
    risk: str
    needs_approval: bool
    is_approved: bool
    begins: datetime | None
    obstacles: list[str]
    conflicts_with: list[Any]
    around: list[dict[str, Any]]
    warnings: list[str]


def plan(change: Change, *, by: User, how: ApplyOptions) -> DryRun:
    """Dry-run the change on the live gateway, also while the portal is read-only."""
    found, drift = differences(change)
    obstacles = _obstacles(change, by, how)
    if drift and not how.accepts_drift:
        obstacles.append("The gateway is not as it was when this was staged.")
    requests, place = [], Surroundings()
    try:
        requests = dry_run(change)
        place = surroundings(change)
    except Refused as error:
        obstacles.append(str(error))
    return DryRun(
        steps=_steps(change),
        requests=requests,
        differences=found,
        drift=drift,
        risk="catastrophic" if change.what.catastrophic else "normal",
        needs_approval=is_needed(change),
        is_approved=is_approved(change),
        begins=change.not_before,
        obstacles=obstacles,
        conflicts_with=conflicting_changes(change),
        around=place.rules,
        warnings=[*_warnings(change), *filter(None, [place.warning])],
    )


def _warnings(change: Change) -> list[str]:
    feature, gateway = change.what, change.gateway
    if not feature.has_savepoint or feature.goes_back(parsed(gateway.version)):
        return []
    return [
        f"This version ({gateway.version}) does not go back by itself: what locks the portal out "
        "stays, until somebody takes it back at the console."
    ]


def _obstacles(change: Change, by: User, how: ApplyOptions) -> list[str]:
    found = []
    for check in (
        lambda: may_write(by, change.gateway, change.what),
        lambda: permitted(how),
        lambda: ready(change),
        lambda: _waits(change),
        lambda: next_start(change, how),
    ):
        try:
            check()
        except Refused as error:
            found.append(str(error))
    return found


def _waits(change: Change) -> None:
    if change.state not in {State.PENDING, State.APPROVED}:
        raise Conflict(gettext("change is %(state)s, not pending") % {"state": change.state})


def _steps(change: Change) -> list[dict[str, Any]]:
    feature = change.what
    values = {} if change.operation == "delete" else feature.values(shown_payload(change))
    steps: list[dict[str, Any]] = [
        {"step": "read", "what": feature.key},
        {
            "step": "write",
            "what": change.operation,
            "target_id": change.target_id,
            "values": values,
        },
    ]
    if not feature.action:
        steps += [{"step": "activate", "what": feature.key}, {"step": "read back"}]
    return steps


def dry_run(change: Change) -> list[Call]:
    """Return the vendor API's requests in order, without their secrets.

    The gateway is read; responses to writes are simulated, with ``{new}`` as an id.
    """
    feature, target = change.what, change.target_id
    values = {} if change.operation == "delete" else feature.values(shown_payload(change))
    with visit(change.gateway, rehearses=True) as device:
        if change.operation != "create":
            target = target or sole_id(device, feature)
        if feature.restores:
            device.restore(file_to_restore(change))
            return [Call(one.method, one.path, one.body and MASK) for one in device.calls]
        device.write(feature, change.operation, target, values)
        device.activate(feature)
        return [Call(one.method, one.path, masked(one.body, feature)) for one in device.calls]


def masked(body: Any, feature: Feature, inside: str = "") -> Any:
    if isinstance(body, Mapping):
        return {
            name: MASK
            if value and _is_secret(f"{inside}{name}", str(name), feature)
            else masked(value, feature, f"{inside}{name}.")
            for name, value in body.items()
        }
    if isinstance(body, Sequence) and not isinstance(body, str):
        return [masked(one, feature, inside) for one in body]
    return body


def _is_secret(path: str, name: str, feature: Feature) -> bool:
    known = {part for one in feature.properties for part in (one, one.rpartition(".")[2])}
    if {path, name} & {*feature.secret, *(one.rpartition(".")[2] for one in feature.secret)}:
        return True
    return name not in known and bool(SECRETIVE.search(name))
