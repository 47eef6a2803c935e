"""Snapshot history of a device: list, restore, and prune."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from controller.base import masking
from controller.base.archive import File, unpacked
from controller.base.errors import Conflict, Refused
from controller.configs.models import Config, Push, Snapshot, Template
from controller.configs.rules.devices import update_device
from controller.configs.rules.rendering import inputs
from controller.configs.rules.templates import with_required
from controller.devices.models import Device

SHOWN_BYTES = 200_000
# A device may still be downloading a snapshot that was just replaced.
GRACE = timedelta(hours=1)
BATCH = 200
REFERENCES = ("desired", "served", "applied", "failed")

NOT_KNOWN = (
    "The templates and variables of this configuration are unknown, so it cannot be restored."
)
NOT_HERE = (
    "Something else has changed since: required templates, facts of the device, "
    "or variables of its group, organization or VPN servers."
)
WOULD_CHANGE_NOTHING = (
    "Going back would change nothing on this device, because the differences come from "
    "elsewhere. Restore the earlier version there: for a template, on its Versions page."
)


@dataclass(frozen=True)
class RestorePreview:
    """Effects of restoring a snapshot."""

    is_possible: bool
    is_same: bool
    """Whether the device would get the very files of the snapshot."""
    notes: tuple[str, ...]
    """Why it would not, in sentences."""


def restore(snapshot: Snapshot) -> Device:
    """Restore the templates, variables and configuration of this snapshot.

    The result of rendering may differ now: see :func:`preview_restore`. Raises Conflict if
    the
    inputs are unknown.
    """
    made_of = snapshot.made_of
    if made_of is None:
        raise Conflict(NOT_KNOWN)
    wanted = {name: made_of[name] for name in ("backend", "config", "context")}
    return update_device(
        snapshot.config.device, config=wanted | {"templates": _templates(made_of)}
    )


def _templates(made_of: dict[str, Any]) -> list[Template]:
    known = Template.objects.select_related("vpn__ca", "vpn__ip", "vpn__subnet").in_bulk(
        [UUID(one["id"]) for one in made_of["templates"]]
    )
    ids = (UUID(one["id"]) for one in made_of["templates"])
    return [known[pk] for pk in ids if pk in known]


def preview_restore(snapshot: Snapshot) -> RestorePreview:
    made_of = snapshot.made_of
    if made_of is None:
        return RestorePreview(is_possible=False, is_same=False, notes=(NOT_KNOWN,))
    device = snapshot.config.device
    templates = _templates(made_of)
    wanted = inputs(
        device,
        backend=made_of["backend"],
        templates=with_required(device.organization, made_of["backend"], templates),
        config=made_of["config"],
        context=made_of["context"],
    )
    try:
        checksum = wanted.render().checksum
    except Refused as refusal:
        text = f"This configuration can no longer be rendered: {refusal}"
        return RestorePreview(is_possible=False, is_same=False, notes=(text,))
    if checksum == snapshot.checksum:
        return RestorePreview(is_possible=True, is_same=True, notes=())
    changes = tuple(_changes(made_of, templates)) or (NOT_HERE,)
    desired = snapshot.config.desired
    if desired is not None and desired.checksum == checksum:
        notes = (*changes, WOULD_CHANGE_NOTHING)
        return RestorePreview(is_possible=False, is_same=False, notes=notes)
    return RestorePreview(is_possible=True, is_same=False, notes=changes)


def _changes(made_of: dict[str, Any], templates: list[Template]) -> Iterable[str]:
    modified = {str(one.pk): one.modified.isoformat() for one in templates}
    for one in made_of["templates"]:
        if one["id"] not in modified:
            yield f"The template {one['name']} was deleted, so it is left out."
        elif modified[one["id"]] != one["modified"]:
            yield f"The template {one['name']} has changed since."


def files_of(snapshot: Snapshot, *, is_open: bool) -> list[dict[str, Any]]:
    """Return path, mode and text of its files; masked unless ``is_open``."""
    made_of = snapshot.made_of
    files = unpacked(snapshot.archive)
    if made_of is None and not is_open:
        # Unknown inputs: any part may be secret.
        return [file_as(file, masking.MASK) for file in files]
    secrets = made_of["secrets"] if made_of else []
    return [render_file(file, secrets, is_open=is_open) for file in files]


def render_file(file: File, secrets: Iterable[str], *, is_open: bool) -> dict[str, Any]:
    text = file.contents[:SHOWN_BYTES].decode(errors="replace")
    return file_as(file, text if is_open else masking.masked_text(text, secrets))


def file_as(file: File, text: str) -> dict[str, Any]:
    return {"path": f"/{file.path}", "mode": f"{file.mode:04o}", "text": text}


def prune() -> int:
    """Delete untaken snapshots, and all but the newest taken ones. Returns the number.

    Snapshots referenced by a configuration or an open push are kept.
    """
    place = Window(RowNumber(), partition_by="config", order_by=F("created").desc())
    old = (
        Snapshot.objects.annotate(place=place)
        .filter(place__gt=settings.MUSTER_SNAPSHOTS_KEPT)
        .order_by()
    )
    not_taken = Snapshot.objects.order_by().filter(
        acknowledged=None, refused=None, created__lt=timezone.now() - GRACE
    )
    in_use = {f"config__{name}": F("pk") for name in REFERENCES}
    nobody_needs = ~Q(*in_use.items(), _connector=Q.OR)
    configs = {*old.values_list("config", flat=True)}
    configs |= {*not_taken.filter(nobody_needs).values_list("config", flat=True)}
    ids = sorted(configs)
    return sum(_prune(ids[at : at + BATCH]) for at in range(0, len(ids), BATCH))


@transaction.atomic
def _prune(config_ids: list[UUID]) -> int:
    # Rendering looks up snapshots under the same lock, so it never finds one being deleted.
    rows = Config.objects.select_for_update().filter(pk__in=config_ids).order_by("pk")
    needed = {
        pk for row in rows.values_list(*(f"{name}_id" for name in REFERENCES)) for pk in row
    }
    needed |= set(
        Push.objects.filter(config__in=config_ids, state__in=Push.OPEN).values_list(
            "snapshot", flat=True
        )
    )
    limit = timezone.now() - GRACE
    gone: list[int] = []
    for config_id in config_ids:
        rows_of = Snapshot.objects.filter(config=config_id).order_by("-created", "-pk")
        for place, (pk, acknowledged, refused, created) in enumerate(
            rows_of.values_list("pk", "acknowledged", "refused", "created")
        ):
            was_taken = acknowledged or refused or created >= limit
            if pk not in needed and (place >= settings.MUSTER_SNAPSHOTS_KEPT or not was_taken):
                gone.append(pk)
    Snapshot.objects.filter(pk__in=gone).delete()
    return len(gone)
