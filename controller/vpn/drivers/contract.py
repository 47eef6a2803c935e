"""What the portal asks of what stands beside a VPN server."""

from dataclasses import dataclass, field
from typing import Any

from controller.base.errors import Unreachable


class Denied(Unreachable):
    """It answered, and does not accept the token."""


@dataclass(frozen=True)
class Network:
    """A network as its controller told of it."""

    node_id: str
    network_id: str


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, and the token that opens it. The token is in no repr."""

    url: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class Member:
    member_id: str
    address: str

    @property
    def settings(self) -> dict[str, Any]:
        return {"authorized": True, "activeBridge": True, "ipAssignments": [self.address]}
