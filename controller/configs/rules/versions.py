"""Restoration of versions of devices, templates, groups and VPN servers.

Deleted rows can be restored as well.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Model
from django.utils.translation import gettext

from controller.accounts.engine.diff import Change, changes
from controller.accounts.models import Version
from controller.accounts.rules.versions import values_of
from controller.base import masking
from controller.base.errors import Conflict
from controller.configs.models import Template
from controller.configs.rules import devices, groups, templates, version_records
from controller.configs.rules.vpn_servers import update_vpn
from controller.devices.models import Device, DeviceGroup
from controller.vpn.models import Vpn
from controller.vpn.rules import create_vpn
from controller.vpn.rules.servers import KEPT, record_vpn

CONFIGURATION = "configuration"
# A released address may be in use again; a revoked certificate stays revoked.
GIVEN_BACK = ("ip", "cert")


@dataclass(frozen=True)
class Kind:
    """How versions of one kind of row are read and restored."""

    model: type[Model]
    values: Callable[[Any], dict[str, Any]]
    keep: Callable[..., None]
    create: Callable[..., Any]
    update: Callable[..., Any]
    fixed: frozenset[str] = frozenset({"organization"})
    """Never gone back to while the row is there: it means more than the row itself."""
    asks_machines: bool = False
    """Whether the rules ask other machines, and so open their transactions themselves."""


KINDS = {
    "device": Kind(
        Device, version_records.device_values, version_records.record_device, devices.create_device,
        devices.update_device,
    ),
    "template": Kind(
        Template, version_records.template_values, version_records.record_template, templates.create_template,
        templates.update_template,
    ),
    "group": Kind(
        DeviceGroup, version_records.group_values, version_records.record_group, groups.create_group,
        groups.update_group,
    ),
    "vpn": Kind(
        Vpn, lambda vpn: values_of(vpn, KEPT), record_vpn, create_vpn, update_vpn,
        frozenset({"organization", "cert", "ip"}), asks_machines=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class RestorePreview:
    """Changes that restoring a version would make, and what cannot be restored."""

    changes: list[Change]
    notes: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    """For the rule: rows instead of their ids, and only what differs."""


def row_of(version: Version) -> Any:
    """Return the row of this version, or None if it was deleted."""
    return KINDS[version.kind].model._default_manager.filter(pk=version.row).first()


def preview_restore(version: Version) -> RestorePreview:
    kind, row = KINDS[version.kind], row_of(version)
    now = kind.values(row) if row is not None else {}
    wanted: dict[str, Any] = version.values
    fixed = kind.fixed if row is not None else frozenset(GIVEN_BACK)
    differing = [
        one for one in changes(now, wanted) if one.field in wanted and one.field not in fixed
    ]
    notes = [
        f"Its {name} stays as it is."
        for name in sorted(kind.fixed)
        if row is not None and now.get(name) != wanted.get(name)
    ]
    values: dict[str, Any] = {}
    for one in differing:
        if one.field == CONFIGURATION:
            values["config"] = _configuration(one.after, notes)
        else:
            values[one.field] = _as_row(kind.model, one.field, one.after, notes)
    return RestorePreview(differing, notes, values)


def _configuration(wanted: Mapping[str, Any] | None, notes: list[str]) -> dict[str, Any] | None:
    if wanted is None:
        notes.append("It had no configuration then; the present one stays.")
        return None
    return {**wanted, "templates": _templates(wanted["templates"], notes)}


def _templates(ids: list[str], notes: list[str]) -> list[Template]:
    known = Template.objects.select_related("vpn__ca", "vpn__ip", "vpn__subnet").in_bulk(
        [UUID(one) for one in ids]
    )
    if lost := len(ids) - len(known):
        notes.append(f"{lost} of its templates are gone; they are left out.")
    return [known[pk] for one in ids if (pk := UUID(one)) in known]


def _as_row(model: type[Model], name: str, value: Any, notes: list[str]) -> Any:
    if name == "templates":
        return _templates(value, notes)
    related = model._meta.get_field(name).related_model
    if related is None or value is None:
        return value
    found = related._default_manager.filter(pk=value).first()
    if found is None:
        notes.append(f"Its {name} of then is gone; it is left empty.")
    return found


def restore(version: Version) -> Any:
    """Restore the row to this version with the usual rules, and return it.

    Raises Conflict if the organization of a deleted row no longer exists.
    """
    kind = KINDS[version.kind]
    with nullcontext() if kind.asks_machines else transaction.atomic():
        return _restore(version, kind)


def _restore(version: Version, kind: Kind) -> Any:
    row = row_of(version)
    values = preview_restore(version).values
    if row is None:
        if version.organization_id is None and version.kind in {"device", "group"}:
            raise Conflict(gettext("Its organization was deleted."))
        row = kind.create(id=version.row, **{k: v for k, v in values.items() if v is not None})
    elif values:
        row = kind.update(row, **values)
    kind.keep(row, Version.Verb.RESTORED)
    return row


def named(kind: str, name: str, value: Any) -> Any:
    """Return a value for display: related rows are replaced by their names."""
    if name == CONFIGURATION and value:
        return {**value, "templates": _names(Template, value["templates"])}
    if name == "templates":
        return _names(Template, value or [])
    model = KINDS[kind].model
    related: Any = model._meta.get_field(name).related_model
    return _names(related, [value])[0] if related and value is not None else value


def _names(model: Any, ids: list[Any]) -> list[str]:
    known = {str(row.pk): str(row) for row in model._default_manager.filter(pk__in=ids)}
    return [known.get(str(pk), f"{pk} (gone)") for pk in ids]


def latest_of_deleted(kind: str) -> Any:
    """Return the last version of each deleted row of this kind."""
    there = KINDS[kind].model._default_manager.values("pk")
    return Version.objects.filter(kind=kind, verb=Version.Verb.DELETED).exclude(row__in=there)


def may_read_all(user: Any, version: Version) -> bool:
    """Return whether the user may read the secrets in this version."""
    secret = "vpn:secret" if version.kind == "vpn" else "device:secret"
    if version.kind != "device":
        return bool(user.has_perm_in(secret, version.organization_id))
    return bool(user.has_perm_in(secret, version.organization_id, version.site_id))


def shown_value(value: Any, name: str, *, is_open: bool) -> Any:
    return value if is_open else masking.masked(value, name)
