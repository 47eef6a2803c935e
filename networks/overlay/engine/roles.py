"""Roles in a network and their permissions, after the Husarnet Dashboard.

Members add devices and remove their own. Administrators also remove devices of everybody
but the owner, and manage shares. All else requires the owner. For strangers a network is
hidden.
"""

from typing import Literal

Role = Literal["owner", "admin", "member", "stranger", "anonymous"]
Action = Literal[
    "see", "see_share_token", "add_member", "delete_member", "add_share", "remove_share",
    "leave", "change", "delete", "rotate_code", "change_policy",
]  # fmt: skip
Ownership = Literal["self", "owner", "other"]
Verdict = Literal["yes", "forbidden", "hidden", "unknown", "senseless"]
"""HTTP statuses: 2xx, 403, 404, 401, 400."""

EVERYBODY = {"owner", "admin", "member"}
MANAGERS = {"owner", "admin"}
ALLOWED: dict[str, set[str]] = {
    "see": EVERYBODY,
    "see_share_token": MANAGERS,
    "add_member": EVERYBODY,
    "add_share": MANAGERS,
    "change": {"owner"},
    "delete": {"owner"},
    "rotate_code": MANAGERS,
    "change_policy": MANAGERS,
}


def can(role: Role, action: Action, *, whose: Ownership = "other") -> Verdict:
    """Decide whether `role` may do `action`.

    ``whose`` is the owner of the affected device or share: the user ("self"), the network's
    owner, or another user.
    """
    if role == "anonymous":
        return "unknown"
    if role == "stranger":
        return "hidden"
    match action:
        case "delete_member":
            allowed = _may_delete(role, whose)
        case "remove_share" | "leave":
            if role == "owner" and whose in {"self", "owner"}:
                return "senseless"
            allowed = role in MANAGERS if whose == "other" else whose == "self"
            if role == "admin" and whose == "owner":
                return "senseless"
        case _:
            allowed = role in ALLOWED[action]
    return "yes" if allowed else "forbidden"


def _may_delete(role: Role, whose: Ownership) -> bool:
    if role == "owner" or whose == "self":
        return True
    return role == "admin" and whose == "other"
