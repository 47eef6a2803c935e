"""Maintenance windows."""

from typing import Any

from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.monitoring.models import Silence


def create_silence(**values: Any) -> Silence:
    """Add a maintenance window; raise :class:`Refused` where its devices are another's."""
    row = Silence(**values)
    check_owner(row)
    row.checked().save()
    return row


def update_silence(row: Silence, **values: Any) -> Silence:
    for name, value in values.items():
        setattr(row, name, value)
    check_owner(row)
    row.checked().save()
    return row


def delete_silence(row: Silence) -> None:
    row.delete()


def check_owner(row: Silence) -> None:
    for name in ("site", "group", "device"):
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
