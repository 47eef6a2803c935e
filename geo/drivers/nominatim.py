"""Geocoding driver for Nominatim's API.

https://nominatim.org/release-docs/latest/api/Overview/
"""

from typing import Any

from controller.base.errors import Unreachable
from controller.base.outbound import Kind, http
from geo.drivers.contract import Place

SECONDS = 8.0
WHOLE_SECONDS = 15.0
MOST_ANSWERS = 5
# Limit of a response's size.
MOST_BYTES = 1_000_000
# Nominatim's usage policy requires an identifying User-Agent.
AGENT = "Muster (a self-hosted portal for network devices)"


class Nominatim:
    def __init__(self, url: str) -> None:
        self.url = url

    def find(self, address: str) -> list[Place]:
        answer = self._ask("search", {"q": address, "limit": str(MOST_ANSWERS)})
        return [place for one in answer for place in _places(one)]

    def address_at(self, longitude: float, latitude: float) -> list[Place]:
        answer = self._ask("reverse", {"lon": str(longitude), "lat": str(latitude)})
        return [place for one in answer for place in _places(one)]

    def _ask(self, path: str, query: dict[str, str]) -> list[Any]:
        try:
            with http.client(
                Kind.SERVICE, timeout=SECONDS, seconds=WHOLE_SECONDS, largest=MOST_BYTES,
                headers={"User-Agent": AGENT},
            ) as client:  # fmt: skip
                answer = client.get(f"{self.url}/{path}", params={"format": "jsonv2"} | query)
            answer.raise_for_status()
            found: Any = answer.json()
        except http.TooLarge as error:
            raise Unreachable("The geocoder answers with more than it should.") from error
        except (http.HTTPError, ValueError) as error:
            raise Unreachable(
                f"The geocoder does not answer as it should ({type(error).__name__}). "
                "Try again later, or place the location on the map."
            ) from error
        return found if isinstance(found, list) else [found]


def _places(found: Any) -> list[Place]:
    """Parse one result; empty if it is an error or malformed."""
    try:
        return [Place(str(found["display_name"]), float(found["lon"]), float(found["lat"]))]
    except (KeyError, TypeError, ValueError):
        return []
