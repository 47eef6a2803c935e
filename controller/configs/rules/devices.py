"""Devices together with their configurations, in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import Version
from controller.base.errors import NotPermitted
from controller.configs.models import (
    Backend,
    Config,
    Template,
)
from controller.configs.rules import vpn_templates
from controller.configs.rules.agent_cache import invalidate_checksums, publish_checksums
from controller.configs.rules.group_templates import templates_after_group_change
from controller.configs.rules.template_assignment import (
    assign,
    assigned_templates,
    default_templates,
    render_or_refuse,
)
from controller.configs.rules.templates import (
    group_templates,
    initial_templates,
)
from controller.configs.rules.version_records import record_device
from controller.connections.rules import add_automatic, drop_foreign_connections
from controller.devices import rules as devices
from controller.devices.models import Device, DeviceGroup

# Device fields that affect the rendering of its configuration.
RENDERED_FIELDS = {"name", "mac_address", "key", "hardware_id", "os", "group", "organization"}


@transaction.atomic
def create_device(*, config: Mapping[str, Any] | None = None, **values: Any) -> Device:
    """Create a device, with a configuration if one is given or its group has templates.

    ``config`` may contain ``backend``, ``templates`` (in order), ``context`` and
    ``config``.
    """
    device = devices.add_device(**values)
    if config is not None or _group_has_templates(device.group):
        add_config(device, **(config or {}))
    record_device(device)
    return device


def _group_has_templates(group: DeviceGroup | None) -> bool:
    return group is not None and bool(group_templates(group, Backend.OPENWRT))


def add_config(
    device: Device,
    *,
    backend: str = Backend.OPENWRT,
    templates: Sequence[Template] | None = None,
    tags: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
) -> Config:
    """Create the configuration of a device, with its initial and the given templates."""
    start = initial_templates(device.organization, backend, device.group, tags)
    row = Config(
        device=device, backend=backend, config=dict(config or {}), context=dict(context or {})
    )
    row.checked(leave_out={"status"}).save()
    assign(row, start if templates is None else [*start, *templates])
    add_automatic(device)
    return row


@transaction.atomic
def update_device(
    device: Device, *, config: Mapping[str, Any] | None = None, **values: Any
) -> Device:
    """Update a device, its configuration or both; omitted values are unchanged."""
    if device.is_deactivated:
        raise NotPermitted(gettext("You do not have permission to perform this action."))
    before = Device.objects.select_related("group", "organization").get(pk=device.pk)
    device = devices.change_device(device, **values)
    if before.organization_id != device.organization_id:
        drop_foreign_connections(device)
        add_automatic(device)
    row = Config.objects.filter(device=device).first()
    if row is None:
        if config is not None:
            add_config(device, **config)
    else:
        _follow(row, device, before, config, values)
    record_device(device)
    return _fresh(device)


def _follow(
    row: Config,
    device: Device,
    before: Device,
    config: Mapping[str, Any] | None,
    values: Mapping[str, Any],
) -> None:
    """Update the configuration of a device that has changed."""
    row.device = device
    if config is not None or before.organization_id != device.organization_id:
        _change_config(row, config or {}, before)
    elif before.group_id != device.group_id:
        assign(
            row,
            templates_after_group_change(
                assigned_templates(row), row.backend, before.group, device.group
            ),
        )
    elif RENDERED_FIELDS & values.keys():
        render_or_refuse(row)
    publish_checksums([row.pk])


def _fresh(device: Device) -> Device:
    fresh: Device = Device.objects.select_related("organization", "group").get(pk=device.pk)
    return fresh


def _change_config(row: Config, changes: Mapping[str, Any], before: Device) -> None:
    device = row.device
    templates: list[Template] = list(changes.get("templates", assigned_templates(row)))
    backend_before = row.backend
    for name in ("backend", "config", "context"):
        if name in changes:
            setattr(row, name, changes[name])
    row.checked(leave_out={"status"}).save()
    if before.organization_id != device.organization_id:
        # Certificates stay with the former organization; the new one issues others.
        vpn_templates.leave_all(device)
    if "templates" not in changes:
        templates = templates_after_group_change(
            templates, backend_before, before.group, device.group
        )
        if row.backend != backend_before:
            templates = group_templates(device.group, row.backend)
        if before.organization_id != device.organization_id:
            templates = [one for one in templates if one.organization_id is None]
            templates = [*default_templates(device.organization, row.backend), *templates]
    assign(row, templates)


@transaction.atomic
def deactivate(device: Device) -> Device:
    """Deactivate the device and remove its configuration.

    The configuration's status is deactivated once the device has acknowledged that.
    """
    if not device.is_deactivated:
        devices.deactivate(device)
    row = Config.objects.filter(device=device).first()
    if row is not None and not row.is_retired:
        row.uses.all().delete()
        vpn_templates.leave_all(device)
        row.config, row.context, row.is_retired = {}, {}, True
        row.save()
        render_or_refuse(row)
        invalidate_checksums([device.pk])
    record_device(device)
    return _fresh(device)


@transaction.atomic
def activate(device: Device) -> Device:
    """Reactivate the device with the templates a new device would get."""
    if device.is_deactivated:
        devices.activate(device)
    row = Config.objects.filter(device=device).select_related("device").first()
    if row is not None and row.is_retired:
        row.is_retired = False
        row.save()
        row.device = device
        assign(row, initial_templates(device.organization, row.backend, device.group))
    record_device(device)
    return _fresh(device)


@transaction.atomic
def delete_device(device: Device, *, force: bool = False) -> None:
    """Delete a deactivated device, or any device with ``force``.

    Raises NotPermitted otherwise.
    """
    row = Config.objects.filter(device=device).first()
    ended = device.is_deactivated and (row is None or row.status == Config.Status.DEACTIVATED)
    if not (ended or force):
        raise NotPermitted(gettext("The device must be deactivated prior to deletion"))
    record_device(device, Version.Verb.DELETED)
    invalidate_checksums([device.pk])
    vpn_templates.leave_all(device)
    device.delete()
