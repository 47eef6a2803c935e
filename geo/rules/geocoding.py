"""Geocoding and reverse geocoding by the configured service, cached."""

import hashlib
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache
from django.utils.translation import gettext

from controller.base.errors import Refused
from geo.drivers.contract import Geocoder, Place
from geo.drivers.nominatim import Nominatim

# Addresses rarely change, and public services ask clients to cache.
CACHE_SECONDS = 86_400
LONGEST_QUERY = 256


def geocoder() -> Geocoder:
    if not settings.MUSTER_GEOCODER_URL:
        raise Refused(
            gettext(
                "Addresses are not looked up: set MUSTER_GEOCODER_URL to a server that speaks "
                "Nominatim's protocol, or place the location on the map."
            )
        )
    return Nominatim(settings.MUSTER_GEOCODER_URL)


def find(address: str) -> list[Place]:
    """Return the points of an address, the most likely first."""
    words = " ".join(address.split())[:LONGEST_QUERY]
    if not words:
        raise Refused(
            {"q": [gettext("Name an address, or a point as point=longitude,latitude.")]}
        )
    service = geocoder()
    return _once(f"find:{words.casefold()}", lambda: service.find(words))


def address_at(longitude: float, latitude: float) -> list[Place]:
    """Return the address nearest to a point, or an empty list."""
    service = geocoder()
    # 0.00001 degrees are about one meter.
    near = round(longitude, 5), round(latitude, 5)
    return _once(f"at:{near}", lambda: service.address_at(*near))


def _once(query: str, ask: Callable[[], list[Place]]) -> list[Place]:
    name = hashlib.sha256(f"{settings.MUSTER_GEOCODER_URL} {query}".encode()).hexdigest()
    known: list[tuple[str, float, float]] | None = cache.get(f"geocoding:{name}")
    if known is not None:
        return [Place(*one) for one in known]
    found = ask()
    cache.set(
        f"geocoding:{name}",
        [(one.address, one.longitude, one.latitude) for one in found],
        CACHE_SECONDS,
    )
    return found
