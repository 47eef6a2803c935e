"""Rules of overlay networks, their members, shares and policies."""

from networks.overlay.rules.members import (
    add_by_id,
    add_by_link,
    add_device,
    approve,
    remove_member,
    update_member,
    update_node,
)
from networks.overlay.rules.networks import (
    check,
    check_scope,
    create_network,
    delete_network,
    role_of,
    rotate_code,
    rotate_share_token,
    update_network,
)
from networks.overlay.rules.policies import matrix, set_policy
from networks.overlay.rules.presence import look_at, refresh
from networks.overlay.rules.shares import accept, add_share, decline, remove_share, waiting_for

__all__ = [
    "accept",
    "add_by_id",
    "add_by_link",
    "add_device",
    "add_share",
    "approve",
    "check",
    "check_scope",
    "create_network",
    "decline",
    "delete_network",
    "look_at",
    "matrix",
    "refresh",
    "remove_member",
    "remove_share",
    "role_of",
    "rotate_code",
    "rotate_share_token",
    "set_policy",
    "update_member",
    "update_network",
    "update_node",
    "waiting_for",
]
