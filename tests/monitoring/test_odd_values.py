"""Every value of a report, replaced by every odd one: it costs itself, and no other report or page."""

import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from controller.accounts.models import Organization
from controller.monitoring.admin import device_tab
from controller.monitoring.engine import netjson, topology
from controller.monitoring.engine.netjson import NotAReport
from controller.monitoring.models import Sample
from controller.monitoring.rules import health, reports, uplinks
from controller.monitoring.rules.organization_totals import record_totals
from controller.monitoring.rules.reports import Posted
from tests import factories
from tests.monitoring.test_engine_reports import payload

ODD: list[Any] = [
    None, True, -1, 0, 3.5, 1e308, 2**63, 2**64 - 1, 1.8e19, "", " ", "²F", "١٢", "-1F", "NaN", "\x00a",
    "\u202e'\"\\\n", "x" * 5000, [], {}, [[]], [{}], [None], {"": None}, {"a": [1]}, "fe80::1%eth0",
]  # fmt: skip
PAYLOADS = ("1_small_ap", "2_lte_router", "3_dsa_switch")
# Of a list, its first entries stand for the others.
ENTRIES = 2


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each value in a report."""
    yield before
    found: Any = ()
    if isinstance(value, dict):
        found = value
    elif isinstance(value, list):
        found = range(min(len(value), ENTRIES))
    for key in found:
        yield from places(value[key], (*before, key))


def replaced(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    copy = value.copy()
    copy[place[0]] = replaced(value[place[0]], place[1:], odd)
    return copy


def with_more(name: str) -> Any:
    """Return a recorded report with what other collectors tell beside it."""
    return payload(name) | {
        "lldp": [
            {"interface": "eth0", "name": "core", "mac": "02:00:00:00:00:01", "port": "1"}
        ],
        "containers": [{"name": "core", "cpu_percent": 1.5, "memory_percent": 2.5}],
        "wifi_clients": 4,
    }


def variants() -> Iterator[tuple[tuple[Any, ...], Any]]:
    for name in PAYLOADS:
        body = with_more(name)
        for place in places(body):
            yield from ((place, replaced(body, place, odd)) for odd in ODD)


def test_an_odd_value_anywhere_breaks_neither_the_reading_nor_the_page() -> None:
    for place, body in variants():
        try:
            report = netjson.read(body)
        except NotAReport:
            continue
        try:
            device_tab.interfaces(body, {}, 300)
            uplinks.gateways_of(body)
            topology.graph([topology.Seen("1", "one", "02:00:00:00:00:09", body=body)])
        except Exception as error:
            error.add_note(f"{place}: {report.complaints}")
            raise


@pytest.mark.django_db
def test_odd_reports_are_kept_beside_a_good_one_and_shown(
    organization: Organization, api: Any
) -> None:
    good = payload("1_small_ap")
    places_ = [
        ("general", "uptime"), ("resources", "disk", 0, "filesystem"), ("interfaces", 0, "speed"),
        ("interfaces", 1, "addresses", 0, "gateway"), ("interfaces", 0, "statistics", "rx_bytes"),
        ("interfaces", 0, "name"), ("neighbors", 0, "ip"), ("general", "hostname"),
    ]  # fmt: skip
    odd = [replaced(good, place, one) for place in places_ for one in ODD]
    devices = [factories.device(organization) for _ in odd]
    now = int(time.time()) - 900
    # The newest report of each is an odd one, which follows a good one and precedes another.
    for at, bodies in (
        (now, [good] * len(odd)),
        (now + 300, [*odd[1:], good]),
        (now + 600, odd),
    ):
        posted = [
            Posted(device.pk, device.key, orjson.dumps(body), at)
            for device, body in zip(devices, bodies, strict=True)
        ]
        assert {answer.status for answer in reports.receive(posted)} == {200}
    assert Sample.objects.count() == 3 * len(odd)
    uplinks.find_uplinks()
    health.judge_all()
    record_totals()
    viewer = api(factories.user(organization, "viewer"))
    for path in ("metrics", "topology", "geojson", "device", "wifi-session"):
        assert viewer.get(f"/api/v1/monitoring/{path}/").status_code == 200
    for part in ("", "overview/", "metric/"):
        path = f"/api/v1/monitoring/device/{devices[0].pk}/{part}"
        assert viewer.get(path, {"status": "1"}).status_code == 200
