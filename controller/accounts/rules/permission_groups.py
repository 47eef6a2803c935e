"""Groups of permissions, as superusers make them."""

from typing import Any

from django.contrib.auth.models import Group

from controller.accounts.rules.audit import record_audit
from controller.accounts.rules.ranks import (
    By,
    check_administrator,
)


def save_group(group: Group | None = None, *, by: By, **values: Any) -> Group:
    """Create or change a set of permissions, as superusers may."""
    check_administrator(by, "make groups of permissions")
    group = group or Group()
    permissions = values.pop("permissions", None)
    for name, value in values.items():
        setattr(group, name, value)
    group.save()
    if permissions is not None:
        group.permissions.set(permissions)
    record_audit(
        "save", group, after=values | {"permissions": [str(one) for one in permissions or ()]}
    )
    return group


def delete_group(group: Group, *, by: By) -> None:
    check_administrator(by, "delete groups of permissions")
    record_audit("delete", group)
    group.delete()
