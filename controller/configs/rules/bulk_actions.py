"""Registry of bulk actions on devices: permission, precondition and effect."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils.translation import gettext

from controller.accounts.models import Site
from controller.base.errors import Conflict, Refused
from controller.configs.models import Config, DeviceBatch, Template, TemplateUse
from controller.configs.rules import devices as inventory
from controller.configs.rules.push_queue import enqueue
from controller.devices.models import Device, DeviceGroup

Kind = DeviceBatch.Kind
OUT = "The device is deactivated. Activate it first."
UNMANAGED = "The portal does not manage its configuration."


@dataclass(frozen=True)
class BulkCandidate:
    """Device with its config and template ids, for precondition checks."""

    device: Device
    config: Config | None
    templates: frozenset[UUID]


@dataclass(frozen=True)
class BulkTarget:
    """Target group, site or template; ``is_chosen`` is False while none was selected."""

    group: DeviceGroup | None = None
    site: Site | None = None
    template: Template | None = None
    is_chosen: bool = True


@dataclass(frozen=True)
class BulkAction:
    permission: str
    why_not: Callable[[BulkCandidate, BulkTarget], str]
    """A sentence; empty where it can be done."""
    do: Callable[[BulkCandidate, BulkTarget], Any]
    texts: tuple[str, ...]
    """What else it means."""
    asks: str = ""
    """``group``, ``site`` or ``template``, where the action asks for one."""
    is_dangerous: bool = field(default=False)

    @property
    def changes_configurations(self) -> bool:
        return self.asks in {"group", "template"}


def bulk_candidates(devices: Any) -> list[BulkCandidate]:
    """Return the candidates of a device queryset, in two queries."""
    uses: dict[UUID, set[UUID]] = {}
    pairs = TemplateUse.objects.filter(config__device__in=devices.order_by().values("pk"))
    for device, template in pairs.order_by().values_list("config__device", "template"):
        uses.setdefault(device, set()).add(template)
    rows: Iterable[Device] = devices.select_related("organization", "group", "config")
    return [
        BulkCandidate(row, getattr(row, "config", None), frozenset(uses.get(row.pk, ())))
        for row in rows
    ]


def _config(one: BulkCandidate) -> Config:
    if one.config is None:
        raise Conflict(UNMANAGED)
    return one.config


# --- preconditions


def _not_deactivate(one: BulkCandidate, _: BulkTarget) -> str:
    return "The device is already deactivated." if one.device.is_deactivated else ""


def _not_activate(one: BulkCandidate, _: BulkTarget) -> str:
    return "" if one.device.is_deactivated else "The device is active."


def _not_delete(one: BulkCandidate, _: BulkTarget) -> str:
    if not one.device.is_deactivated:
        return "The device is active. Deactivate it first."
    if one.config is not None and one.config.status != Config.Status.DEACTIVATED:
        return "It has not acknowledged yet that its configuration was taken off."
    return ""


def _not_group(one: BulkCandidate, wanted: BulkTarget) -> str:
    if one.device.is_deactivated:
        return OUT
    group = wanted.group
    if group is not None and group.organization_id != one.device.organization_id:
        return "The group is of another organization."
    if one.device.group_id == (group.pk if group else None):
        return "It is in this group already." if group else "It is in no group."
    return ""


def _not_site(one: BulkCandidate, wanted: BulkTarget) -> str:
    assert wanted.site is not None  # noqa: S101 - it was chosen
    if wanted.site.organization_id != one.device.organization_id:
        return "The site is of another organization."
    return "It is in this site already." if one.device.site_id == wanted.site.pk else ""


def _not_template(one: BulkCandidate, template: Template) -> str:
    if one.device.is_deactivated:
        return OUT
    if one.config is None:
        return UNMANAGED
    if template.organization_id not in {None, one.device.organization_id}:
        return "The template is of another organization."
    return "" if template.backend == one.config.backend else "It is for another backend."


def _not_add(one: BulkCandidate, wanted: BulkTarget) -> str:
    assert wanted.template is not None  # noqa: S101 - it was chosen
    has = "It has the template already." if wanted.template.pk in one.templates else ""
    return _not_template(one, wanted.template) or has


def _not_remove(one: BulkCandidate, wanted: BulkTarget) -> str:
    assert wanted.template is not None  # noqa: S101 - it was chosen
    if wanted.template.pk not in one.templates:
        return "It does not have the template."
    required = "The template is required: every configuration of its backend has it."
    return _not_template(one, wanted.template) or (required if wanted.template.required else "")


def _not_push(one: BulkCandidate, _: BulkTarget) -> str:
    if one.config is None:
        return UNMANAGED
    if one.config.status in {Config.Status.APPLIED, Config.Status.DEACTIVATED}:
        return "It is up to date."
    return ""


# --- effects


def templates_after(config: Config, kind: str, wanted: BulkTarget) -> list[Template]:
    """Return the templates that the configuration would have after the action."""
    uses = config.uses.select_related("template__vpn")
    rest = [use.template for use in uses if use.template != wanted.template]
    return [*rest, wanted.template] if kind == Kind.ADD_TEMPLATE and wanted.template else rest


def _with_templates(kind: str) -> Callable[[BulkCandidate, BulkTarget], Any]:
    def do(one: BulkCandidate, wanted: BulkTarget) -> Device:
        after = templates_after(_config(one), kind, wanted)
        return inventory.update_device(one.device, config={"templates": after})

    return do


def _push(one: BulkCandidate, _: BulkTarget) -> None:
    if not enqueue([_config(one).pk]):
        raise Refused(
            gettext(
                "Nothing was queued: it is being pushed to, or lacks a management address or an "
                "enabled connection. Its agent fetches the configuration by itself."
            )
        )


BULK_ACTIONS: Mapping[str, BulkAction] = {
    Kind.PUSH: BulkAction(
        "config:update", _not_push, _push,
        ("Devices with an outdated configuration are updated now.",),
    ),
    Kind.GROUP: BulkAction(
        "device:update", _not_group,
        lambda one, wanted: inventory.update_device(one.device, group=wanted.group),
        ("Templates and variables of the group come with it, those of the former go.",),
        asks="group",
    ),
    Kind.SITE: BulkAction(
        "device:update", _not_site,
        lambda one, wanted: inventory.update_device(one.device, site=wanted.site),
        ("Only people with access to the site see and change the devices from then on.",),
        asks="site",
    ),
    Kind.ADD_TEMPLATE: BulkAction(
        "config:update", _not_add, _with_templates(Kind.ADD_TEMPLATE),
        ("It comes last among the templates of each device, so it wins over the others.",
         "Keys, certificates and addresses of VPN clients are created with it."),
        asks="template",
    ),
    Kind.REMOVE_TEMPLATE: BulkAction(
        "config:update", _not_remove, _with_templates(Kind.REMOVE_TEMPLATE),
        ("Each device is configured without it. The certificate of a VPN client is revoked.",),
        asks="template",
    ),
    Kind.DEACTIVATE: BulkAction(
        "device:deactivate", _not_deactivate,
        lambda one, _: inventory.deactivate(one.device),
        ("Everything this portal configured is taken off the devices; their own templates, "
         "variables and settings are removed here. Keys, history and connections stay.",
         "A deactivated device can be deleted."),
        is_dangerous=True,
    ),
    Kind.ACTIVATE: BulkAction(
        "device:deactivate", _not_activate, lambda one, _: inventory.activate(one.device),
        ("They get the templates a new device of their organization and group would get.",),
    ),
    Kind.DELETE: BulkAction(
        "device:delete", _not_delete, lambda one, _: inventory.delete_device(one.device),
        ("With them go their keys, connections, commands and history. "
         "Deleted devices can be brought back from the list of them.",),
        is_dangerous=True,
    ),
}  # fmt: skip
