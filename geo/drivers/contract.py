"""Contract of geocoding drivers."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Place:
    address: str
    longitude: float
    latitude: float


class Geocoder(Protocol):
    """Geocoding service. Raises :class:`controller.base.errors.Unreachable`."""

    def find(self, address: str) -> list[Place]:
        """Return the points of an address, the most likely first."""
        ...

    def address_at(self, longitude: float, latitude: float) -> list[Place]:
        """Return the address nearest to a point, or an empty list."""
        ...
