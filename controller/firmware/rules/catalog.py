"""Rules of categories and builds."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from controller.base.errors import Conflict, Refused
from controller.firmware.models import Build, Category, Image, Upgrade

IN_USE = "Upgrades with its images are under way. Wait for them, or cancel them first."


def create_category(**values: Any) -> Category:
    row = Category(**values).checked()
    row.save()
    return row


@transaction.atomic
def update_category(row: Category, **values: Any) -> Category:
    owner = values.get("organization", row.organization)
    if owner != row.organization and row.builds.exists():
        raise Refused(
            {"organization": [gettext("A category with builds stays with its organization.")]}
        )
    for name, value in values.items():
        setattr(row, name, value)
    row.checked().save()
    return row


@transaction.atomic
def delete_category(row: Category) -> None:
    refuse_in_use(image__build__category=row)
    row.delete()


def create_build(**values: Any) -> Build:
    row = Build(**values).checked()
    _check_os(row)
    row.save()
    return row


@transaction.atomic
def update_build(row: Build, **values: Any) -> Build:
    category = values.get("category", row.category)
    if category.organization_id != row.category.organization_id and row.images.exists():
        raise Refused(
            {"category": [gettext("A build with images stays with its organization.")]}
        )
    for name, value in values.items():
        setattr(row, name, value)
    row.checked()
    _check_os(row)
    row.save()
    return row


def _check_os(row: Build) -> None:
    """Raise Refused if another build of the organization has the same OS identifier."""
    if not row.os:
        return
    others = Build.objects.filter(
        os=row.os, category__organization=row.category.organization_id
    ).exclude(pk=row.pk)
    if other := others.select_related("category").first():
        raise Refused(
            {"os": [gettext("%(other)s has this OS identifier already.") % {"other": other}]}
        )


@transaction.atomic
def delete_build(row: Build) -> None:
    refuse_in_use(image__build=row)
    row.delete()


@transaction.atomic
def delete_image(row: Image) -> None:
    """Delete an image; its file goes when no other image has the same content."""
    refuse_in_use(image=row)
    row.delete()


def refuse_in_use(**images: Any) -> None:
    """Raise Conflict if an upgrade with one of these images is open."""
    states = (Upgrade.State.WAITING, *Upgrade.OPEN)
    if Upgrade.objects.filter(state__in=states, **images).exists():
        raise Conflict(IN_USE)
