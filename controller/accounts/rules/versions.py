"""Record a version of a row after each change."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.utils.translation import override

from controller.accounts.engine import diff
from controller.accounts.models import Version
from controller.base.request_context import current_context


def values_of(row: Model, names: Iterable[str]) -> dict[str, Any]:
    """Return these fields as JSON values; related rows by their id."""
    found = {name: row._meta.get_field(name).value_from_object(row) for name in names}  # type: ignore[union-attr]
    return {name: str(one) if isinstance(one, UUID) else one for name, one in found.items()}


def record_version(kind: str, row: Any, values: Mapping[str, Any], *, verb: str = "") -> None:
    """Add a version unless nothing changed; the first one records the creation."""
    last = Version.objects.filter(kind=kind, row=row.pk).order_by("-number").first()
    changed = [one.field for one in diff.changes(last.values if last else {}, values)]
    if last is not None and not changed and not verb:
        return
    with override(None):
        name = str(row)
    Version.objects.create(
        kind=kind,
        row=row.pk,
        number=last.number + 1 if last else 1,
        organization_id=row.organization_id,
        site_id=getattr(row, "site_id", None),
        name=name[:255],
        verb=verb or (Version.Verb.CHANGED if last else Version.Verb.CREATED),
        changed=changed if last else [],
        values=dict(values),  # type: ignore[misc]
        actor=current_context().actor,
    )
