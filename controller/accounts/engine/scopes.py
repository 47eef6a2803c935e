"""Roles and what they permit: ``resource:action``, with ``*`` for any.

Actions are read, create, update and delete; ``secret`` reads what is otherwise masked, and a
resource may have verbs of its own (``device:deactivate``).
"""

from collections.abc import Collection, Mapping

READ = "*:read"

_OPERATED = (
    "device", "config", "template", "group", "connection", "location", "floorplan", "address",
)  # fmt: skip

ROLES: Mapping[str, frozenset[str]] = {
    "org_admin": frozenset({"*:*"}),
    "operator": frozenset(
        {READ, "device:secret", "command:create"} | {f"{resource}:*" for resource in _OPERATED}
    ),
    "viewer": frozenset({READ}),
    "guest": frozenset({"device:read"}),
}


def allows(granted: Collection[str], permission: str) -> bool:
    """Whether any granted pattern covers the permission.

    >>> allows({"device:*"}, "device:update"), allows({"*:read"}, "device:update")
    (True, False)
    """
    resource, action = permission.split(":")
    return not {permission, f"{resource}:*", f"*:{action}", "*:*"}.isdisjoint(granted)
