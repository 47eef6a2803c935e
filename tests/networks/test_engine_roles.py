"""Permissions by role, row by row of the Husarnet study's table."""

import pytest

from networks.overlay.engine.roles import can

# action, whose, owner, admin, member, stranger, anonymous
TABLE = [
    ("see", "other", "yes", "yes", "yes"),
    ("see_share_token", "other", "yes", "yes", "forbidden"),
    ("add_member", "self", "yes", "yes", "yes"),
    ("delete_member", "owner", "yes", "forbidden", "forbidden"),
    ("delete_member", "self", "yes", "yes", "yes"),
    ("delete_member", "other", "yes", "yes", "forbidden"),
    ("add_share", "other", "yes", "yes", "forbidden"),
    ("remove_share", "other", "yes", "yes", "forbidden"),
    ("remove_share", "self", "senseless", "yes", "yes"),
    ("remove_share", "owner", "senseless", "senseless", "forbidden"),
    ("change", "other", "yes", "forbidden", "forbidden"),
    ("delete", "other", "yes", "forbidden", "forbidden"),
    ("rotate_code", "other", "yes", "yes", "forbidden"),
    ("change_policy", "other", "yes", "yes", "forbidden"),
]


@pytest.mark.parametrize(("action", "whose", "owner", "admin", "member"), TABLE)
def test_the_truth_table(action: str, whose: str, owner: str, admin: str, member: str) -> None:
    said = {
        role: can(role, action, whose=whose)  # type: ignore[arg-type]
        for role in ("owner", "admin", "member", "stranger", "anonymous")
    }
    assert said == {
        "owner": owner, "admin": admin, "member": member,
        "stranger": "hidden", "anonymous": "unknown",
    }  # fmt: skip
