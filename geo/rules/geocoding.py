"""From an address to points and back, by a service that the operator chose."""

import hashlib
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache

from controller.base.errors import Refused
from geo.drivers.contract import Geocoder, Place
from geo.drivers.nominatim import Nominatim

# Addresses stay where they are, and the public services want to be asked once.
CACHE_SECONDS = 86_400
LONGEST_QUERY = 256


def geocoder() -> Geocoder:
    if not settings.MUSTER_GEOCODER_URL:
        raise Refused(
            "Addresses are not looked up: set MUSTER_GEOCODER_URL to a server that speaks "
            "Nominatim's protocol, or place the location on the map."
        )
    return Nominatim(settings.MUSTER_GEOCODER_URL)


def find(address: str) -> list[Place]:
    """Where this address may be, the likeliest first."""
    words = " ".join(address.split())[:LONGEST_QUERY]
    if not words:
        raise Refused({"q": ["Name an address, or a point as point=longitude,latitude."]})
    service = geocoder()
    return _once(f"find:{words.casefold()}", lambda: service.find(words))


def address_at(longitude: float, latitude: float) -> list[Place]:
    """The address nearest to a point, or nothing."""
    service = geocoder()
    # A hundred-thousandth of a degree is about a meter.
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
