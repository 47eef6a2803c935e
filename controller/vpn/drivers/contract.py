"""Contract of the drivers of VPN controllers and webhooks."""

from dataclasses import dataclass, field
from typing import Any

from controller.base.errors import Unreachable


class Denied(Unreachable):
    """Answer that rejects the token."""


@dataclass(frozen=True)
class Network:
    """Network as reported by its controller."""

    node_id: str
    network_id: str


@dataclass(frozen=True)
class Endpoint:
    """URL and token of a controller or webhook; the token is not in the repr."""

    url: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class Member:
    member_id: str
    address: str

    @property
    def settings(self) -> dict[str, Any]:
        return {"authorized": True, "activeBridge": True, "ipAssignments": [self.address]}
