"""What the portal asks of a service that knows addresses."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Place:
    address: str
    longitude: float
    latitude: float


class Geocoder(Protocol):
    """Raises :class:`controller.base.errors.Unreachable` where the service does not answer."""

    def find(self, address: str) -> list[Place]:
        """Where this address may be, the likeliest first."""
        ...

    def address_at(self, longitude: float, latitude: float) -> list[Place]:
        """The address nearest to a point, or nothing."""
        ...
