"""Devices and groups together with their configurations, in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from controller.accounts.models import Organization, Version
from controller.accounts.rules.audit import has_actor, record_audit
from controller.base.errors import NotPermitted, Refused
from controller.configs.models import (
    Backend,
    Config,
    GroupTemplate,
    Template,
    TemplateUse,
)
from controller.configs.rules import vpn_templates
from controller.configs.rules.agent_cache import invalidate_checksums, publish_checksums
from controller.configs.rules.group_assignment import reassign
from controller.configs.rules.rendering import inputs, mark_stale, refresh
from controller.configs.rules.templates import (
    check_usable,
    group_templates,
    initial_templates,
    usable,
    with_required,
)
from controller.configs.rules.version_records import record_device, record_group
from controller.connections.rules import add_automatic, drop_foreign_connections
from controller.devices import rules as devices
from controller.devices.models import Device, DeviceGroup, OrganizationSettings

# Error code for a configuration that cannot be rendered.
CANNOT_RENDER = "cannot_render"
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


def assign(config: Config, templates: Sequence[Template]) -> None:
    """Assign these templates in order, required ones first, and render.

    Raises Refused if a template is not usable or the result cannot be rendered.
    """
    organization = config.device.organization
    check_usable(organization, config.backend, templates)
    chosen = with_required(organization, config.backend, templates)
    vpn_templates.check_once(chosen)
    if has_actor():
        before = [one.name for one in _templates(config)]
        if before != (after := [one.name for one in chosen]):
            record_audit(
                "assign_templates",
                config,
                before={"templates": before},
                after={"templates": after},
            )
    config.uses.all().delete()
    TemplateUse.objects.bulk_create(
        TemplateUse(config=config, template=template, position=position)
        for position, template in enumerate(chosen)
    )
    vpn_templates.set_clients(config, chosen)
    render_or_refuse(config)


def render_or_refuse(config: Config) -> None:
    """Render synchronously; raise Refused if rendering fails."""
    Config.objects.filter(pk=config.pk).invalidate()
    refresh([config.pk])
    config.refresh_from_db()
    if config.render_error:
        raise Refused(config.render_error, code=CANNOT_RENDER)


@transaction.atomic
def update_device(
    device: Device, *, config: Mapping[str, Any] | None = None, **values: Any
) -> Device:
    """Update a device, its configuration or both; omitted values are unchanged."""
    if device.is_deactivated:
        raise NotPermitted("You do not have permission to perform this action.")
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
                _templates(row), row.backend, before.group, device.group
            ),
        )
    elif RENDERED_FIELDS & values.keys():
        render_or_refuse(row)
    publish_checksums([row.pk])


def _fresh(device: Device) -> Device:
    fresh: Device = Device.objects.select_related("organization", "group").get(pk=device.pk)
    return fresh


def _templates(config: Config) -> list[Template]:
    return [use.template for use in config.uses.select_related("template")]


def _change_config(row: Config, changes: Mapping[str, Any], before: Device) -> None:
    device = row.device
    templates: list[Template] = list(changes.get("templates", _templates(row)))
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


def default_templates(organization: Organization, backend: str) -> list[Template]:
    return list(usable(organization, backend).filter(default=True).order_by("name"))


def templates_after_group_change(
    templates: Sequence[Template],
    backend: str,
    old: DeviceGroup | None,
    new: DeviceGroup | None,
) -> list[Template]:
    """Replace the former group's templates by the new group's, which come last."""
    if old == new:
        return list(templates)
    leaving = set(group_templates(old, backend))
    joining = group_templates(new, backend)
    kept = [one for one in templates if one not in leaving or one in joining]
    return list(dict.fromkeys([*kept, *joining]))


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
        raise NotPermitted("The device must be deactivated prior to deletion")
    record_device(device, Version.Verb.DELETED)
    invalidate_checksums([device.pk])
    vpn_templates.leave_all(device)
    device.delete()


@transaction.atomic
def create_group(*, templates: Sequence[Template] = (), **values: Any) -> DeviceGroup:
    group = devices.create_group(**values)
    _set_group_templates(group, templates)
    record_group(group)
    return group


@transaction.atomic
def update_group(
    group: DeviceGroup, *, templates: Sequence[Template] | None = None, **values: Any
) -> DeviceGroup:
    """Update a group and the templates and variables of its devices."""
    context = group.context
    group = devices.update_group(group, **values)
    rows = Config.objects.filter(device__group=group, is_retired=False)
    if templates is not None:
        before = {backend: group_templates(group, backend) for backend in Backend.values}
        _set_group_templates(group, templates)
        reassign(rows, group, before)
    if group.context != context:
        mark_stale(rows)
    record_group(group)
    return group


@transaction.atomic
def update_settings(row: OrganizationSettings, **values: Any) -> OrganizationSettings:
    """Update an organization's device settings; its devices are rendered again."""
    context = row.context
    row = devices.update_settings(row, **values)
    if row.context != context:
        mark_stale(
            Config.objects.filter(device__organization=row.organization_id, is_retired=False)
        )
    return row


def _set_group_templates(group: DeviceGroup, templates: Sequence[Template]) -> None:
    for template in templates:
        if template.organization_id not in {None, group.organization_id}:
            raise Refused(
                {"templates": [f"The template {template.name} is of another organization."]}
            )
    if has_actor():
        record_audit(
            "assign_templates", group, after={"templates": [one.name for one in templates]}
        )
    GroupTemplate.objects.filter(group=group).delete()
    GroupTemplate.objects.bulk_create(
        GroupTemplate(group=group, template=template, position=position)
        for position, template in enumerate(dict.fromkeys(templates))
    )


@transaction.atomic
def delete_group(group: DeviceGroup) -> None:
    """Delete the group; its devices stay, without its templates and variables."""
    record_group(group, Version.Verb.DELETED)
    for device in group.devices.filter(is_deactivated=False):
        update_device(device, group=None)
    group.delete()


def preview(
    device: Device,
    *,
    backend: str,
    templates: Sequence[Template],
    config: Mapping[str, Any],
    context: Mapping[str, Any],
) -> Any:
    """Render an unsaved configuration of a device. Returns the archive and its inputs."""
    check_usable(device.organization, backend, templates)
    wanted = inputs(
        device,
        backend=backend,
        templates=with_required(device.organization, backend, templates),
        config=config,
        context=context,
    )
    return wanted.render(), wanted
