"""Groups that every portal starts with, for programs that name them by number."""

from typing import Any

DEFAULT_GROUPS = (("Operator", "operator"), ("Administrator", "org_admin"))


def add_default_groups(group_model: Any, role_model: Any) -> None:
    """Add the groups Operator and Administrator, each with the permissions of a role.

    A group that has such a name already stays what it is.
    """
    for name, role in DEFAULT_GROUPS:
        group, is_new = group_model.objects.get_or_create(name=name)
        if is_new:
            role_model.objects.create(group=group, role=role)
