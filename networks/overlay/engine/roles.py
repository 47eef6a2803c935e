"""Who may do what with a network, after the Husarnet Dashboard's permission classes.

Members add devices, and remove their own. Administrators also remove the devices of all but
the owner, and share. The rest is the owner's. Who has no part in a network learns nothing of it.
"""

from typing import Literal

Role = Literal["owner", "admin", "member", "stranger", "anonymous"]
Action = Literal[
    "see", "see_share_token", "add_member", "delete_member", "add_share", "remove_share",
    "leave", "change", "delete", "rotate_code", "change_policy",
]  # fmt: skip
Ownership = Literal["self", "owner", "other"]
Verdict = Literal["yes", "forbidden", "hidden", "unknown", "senseless"]
"""Over HTTP: 2xx, 403, 404, 401, 400."""

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
    """``whose`` says whose device is removed, or whose share: one's own, the owner's, another's."""
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
