"""Limits in force for a device: its own, its group's, its organization's or the portal's."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.devices.models import Device
from controller.monitoring.engine.metrics import ABOUT, JUDGED, Limit, Metric
from controller.monitoring.models import Threshold

Levels = dict[UUID, dict[Metric, Limit]]


class Limits:
    """All limits that were set, read once."""

    def __init__(self, rows: Any = None) -> None:
        self.devices: Levels = {}
        self.groups: Levels = {}
        self.organizations: Levels = {}
        self.portal: dict[Metric, Limit] = {}
        found = Threshold.objects.all() if rows is None else rows
        for row in found.select_related("group", "organization"):
            self._level(row)[Metric(row.metric)] = row.limit()
        self._known: dict[tuple[Any, ...], Mapping[Metric, Limit]] = {}

    def _level(self, row: Threshold) -> dict[Metric, Limit]:
        if row.device_id is not None:
            return self.devices.setdefault(row.device_id, {})
        if row.group_id is not None:
            return self.groups.setdefault(row.group_id, {})
        if row.organization_id is not None:
            return self.organizations.setdefault(row.organization_id, {})
        return self.portal

    def of(
        self, device: UUID, group: UUID | None, organization: UUID
    ) -> Mapping[Metric, Limit]:
        """Return the limit of every metric for a device."""
        own = self.devices.get(device)
        key = (device if own else None, group, organization)
        if key not in self._known:
            usual = {metric: ABOUT[metric].limit for metric in JUDGED}
            levels = (
                self.portal,
                self.organizations.get(organization, {}),
                self.groups.get(group, {}) if group else {},
                own or {},
            )
            for level in levels:
                usual |= level
            self._known[key] = {metric: one for metric, one in usual.items() if one}
        return self._known[key]


def limits_of(device: Device) -> Mapping[Metric, Limit]:
    """Return the limits in force for one device."""
    rows = Threshold.objects.filter(
        Q(device=device)
        | Q(device=None, group=device.group_id, organization=device.organization_id)
        | Q(device=None, group=None, organization=device.organization_id)
        | Q(device=None, group=None, organization=None)
    )
    return Limits(rows).of(device.pk, device.group_id, device.organization_id)


def create_threshold(**values: Any) -> Threshold:
    """Set a limit; raise :class:`Refused` where one is set for the same devices."""
    row = Threshold(**values)
    check_owner(row)
    row.checked().save()
    return row


def update_threshold(row: Threshold, **values: Any) -> Threshold:
    for name, value in values.items():
        setattr(row, name, value)
    check_owner(row)
    row.checked().save()
    return row


def delete_threshold(row: Threshold) -> None:
    row.delete()


def check_owner(row: Threshold) -> None:
    """Raise :class:`Refused` where the group or device is another organization's."""
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
            {"device": [gettext("A limit is of a group or of a device, not of both.")]}
        )
