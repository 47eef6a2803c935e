"""Geocoding against a server with the real protocol."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.base.errors import Refused, Unreachable
from geo.drivers.contract import Place
from geo.rules import geocoding
from tests import factories
from tests.fleet import nominatim

URL = "/api/v1/controller/location/geocode/"
CORSO = Place("Via del Corso, Campo Marzio, Roma, Italia", 12.4799, 41.9031)


@pytest.fixture
def server(settings: Any) -> Iterator[nominatim.Nominatim]:
    with nominatim.running() as server:
        settings.MUSTER_GEOCODER_URL = server.url
        yield server


def test_an_address_leads_to_points(server: nominatim.Nominatim) -> None:
    found = geocoding.find("via del corso")
    assert found[0] == CORSO
    assert len(found) == 2
    assert server.agents[0].startswith("Muster")


def test_a_point_leads_to_its_address(server: nominatim.Nominatim) -> None:
    assert geocoding.address_at(12.48, 41.903) == [CORSO]
    assert geocoding.address_at(0, 0) == []


def test_the_service_is_asked_once(server: nominatim.Nominatim) -> None:
    for words in ("Via  del Corso", "via del corso ", "VIA DEL CORSO"):
        assert geocoding.find(words)[0] == CORSO
    for longitude in (12.48, 12.480001):
        assert geocoding.address_at(longitude, 41.903) == [CORSO]
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        (500, b"{}"),
        (200, b"<html>captive portal</html>"),
        (200, b'["' + b"x" * 2_000_000 + b'"]'),
        (302, b""),
    ],
)
def test_a_service_out_of_order_is_told(
    server: nominatim.Nominatim, answer: tuple[int, bytes]
) -> None:
    server.broken = answer
    with pytest.raises(Unreachable):
        geocoding.find("Roma")


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b"[1]", b'[{"lat": "x"}]', b'[{"display_name": "x", "lat": 1}]']
)
def test_an_answer_without_places_is_no_place(server: nominatim.Nominatim, body: bytes) -> None:
    server.broken = (200, body)
    assert geocoding.find("Roma") == []


def test_nobody_there_is_told(settings: Any) -> None:
    settings.MUSTER_GEOCODER_URL = "http://127.0.0.1:1"
    with pytest.raises(Unreachable):
        geocoding.find("Roma")


def test_it_is_off_unless_configured() -> None:
    with pytest.raises(Refused, match="MUSTER_GEOCODER_URL"):
        geocoding.find("Roma")


def test_the_api_asks_both_ways(
    api: Callable[[User | None], APIClient],
    organization: Organization,
    server: nominatim.Nominatim,
) -> None:
    client = api(factories.user(organization, "viewer"))
    found = client.get(URL, {"q": "corso roma"}).json()["results"]
    assert found == [
        {
            "address": CORSO.address,
            "geometry": {"type": "Point", "coordinates": [12.4799, 41.9031]},
        }
    ]
    assert client.get(URL, {"point": "12.48,41.903"}).json()["results"] == found
    for query in ({}, {"q": " "}, {"point": "x"}):
        assert client.get(URL, query).status_code == 400
    assert api(None).get(URL, {"q": "Roma"}).status_code == 401
    assert api(factories.user(organization, "guest")).get(URL, {"q": "Roma"}).status_code == 403


def test_of_a_long_query_the_first_256_characters_are_asked(
    server: nominatim.Nominatim,
) -> None:
    geocoding.find("x" * 300)
    query = parse_qs(urlsplit(server.asked[-1]).query)
    assert query["q"] == ["x" * 256]
