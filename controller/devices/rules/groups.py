"""Groups of devices; their templates are rules of a layer above."""

from typing import Any

from django.utils.translation import gettext

from controller.accounts.models import Organization
from controller.base.errors import Conflict, Refused
from controller.devices.models import (
    DeviceGroup,
)


def check_group(group: DeviceGroup | None, organization: Organization) -> None:
    if group is not None and group.organization_id != organization.pk:
        raise Refused(
            {
                "group": [
                    gettext("The organization of this device and of its group do not match.")
                ]
            }
        )


def create_group(**values: Any) -> DeviceGroup:
    group = DeviceGroup(**values).checked()
    group.save()
    return group


def update_group(group: DeviceGroup, **values: Any) -> DeviceGroup:
    organization = values.get("organization", group.organization)
    if organization.pk != group.organization_id and group.devices.exists():
        raise Conflict(gettext("A group with devices cannot move to another organization."))
    for name, value in values.items():
        setattr(group, name, value)
    group.checked().save()
    return group
