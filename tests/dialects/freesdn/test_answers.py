"""Each row that FreeSDN's web client cannot do without: asked for, and held to its shape."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from controller.accounts.rules import api_keys
from networks.gateways.drivers import DRIVERS
from networks.gateways.drivers.contract import Endpoint
from networks.gateways.engine.features import ALL, FEATURES
from networks.gateways.engine.web_pages import ROWS_AT
from networks.gateways.models import Gateway
from tests import factories
from tests.demo_world import World, build
from tests.dialects.freesdn.shapes import lacking
from tests.fleet.gateway import serving
from tests.fleet.gateways import VENDORS

FOLDER = Path(__file__).parents[2] / "contract"
ROWS: list[dict[str, Any]] = json.loads((FOLDER / "freesdn_web_client.json").read_text())[
    "rows"
]
STAGES: list[dict[str, Any]] = json.loads((FOLDER / "freesdn_web_gateways.json").read_text())[
    "stages"
]
# The socket is played in tests/accounts/test_web_client.py, and sign-in in tests/accounts.
ELSEWHERE = {"ws", "auth/login", "auth/login/mfa", "auth/refresh", "auth/logout"}
VENDOR_OF = re.compile(r"gateway-(mikrotik|openwrt|unifi)|(hypervisor)/")
FIREWALLS = ("opnsense", "pfsense")


def vendors_of(row: dict[str, Any]) -> tuple[str, ...]:
    """Return the vendors whose pages ask for a row; none if it is asked of the portal."""
    if row["set"] == "H":
        return FIREWALLS
    if (found := VENDOR_OF.match(row["path"])) is not None:
        return (found[1] or "proxmox",)
    return ("omada",) if row["path"].startswith("gateway-{area}") else ()


@pytest.fixture(autouse=True)
def _gateways_on_this_machine_may_be_written_to(settings: Any) -> None:
    settings.ADAPTER_READ_ONLY = False
    settings.MUSTER_LOCAL_GATEWAYS = True


OF_PORTAL = [one for one in ROWS if not vendors_of(one) and one["path"] not in ELSEWHERE]


def path_of(world: World, row: dict[str, Any], **others: str) -> str:
    ids = {
        "site_id": world.site.pk, "organization_id": world.organization.pk,
        "org_id": world.organization.pk, "device_id": world.rows["device"],
        "gateway_id": world.rows["gateways"], "controller_id": world.rows["gateways"],
        "scan_id": world.rows["discovery/scan"], "change_id": world.rows["gateway-vpn/changes"],
        **others,
    }  # fmt: skip
    return f"/api/v1/{row['path'].format_map(ids)}?{row['query']}"


def wrong(client: Client, method: str, url: str, row: dict[str, Any], **sent: Any) -> list[str]:
    """Ask, and return what of the answer is not as the row says."""
    answer = client.generic(
        method, url, json.dumps(sent.pop("body", {})), "application/json", **sent
    )
    where = f"{method} {url}"
    if answer.status_code not in {200, 201, 202, 204}:
        return [f"{where}: {answer.status_code} {answer.content[:120]!r}"]
    if answer.status_code not in (row["statuses"] or [200]):
        return [f"{where}: {answer.status_code}, and the client knows {row['statuses']}"]
    told = answer.json() if answer.content else None
    return [f"{where}: {one}" for one in lacking(row["answer"], told)]


BODIES: dict[str, dict[str, Any]] = {
    "api-keys/": {"name": "client", "scopes": ["device:read"]},
    "discovery/scan": {"targets": ["10.0.0.1"]},
    "gateway-vpn/changes/{change_id}/apply": {"force": True, "confirmed": True},
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted({one["set"] for one in OF_PORTAL}))
def test_what_is_asked_of_the_portal_has_its_shape(name: str, client: Client) -> None:
    world = build()
    key = api_keys.create_key(world.people["super"], name="old")[0]
    found = []
    for row in (one for one in OF_PORTAL if one["set"] == name):
        url = path_of(world, row, key_id=str(key.pk))
        method, body = row["method"], dict(BODIES.get(row["path"], {}))
        if row["path"] == "discovery/scan":
            body["site_id"] = str(world.site.pk)
        found += wrong(client, method, url, row, body=body, **world.headers["super"])
    assert not found, "\n".join(found)


@contextmanager
def filled(vendor: str, world: World) -> Iterator[Gateway]:
    """Serve a vendor's stand-in with an object of each of its features."""
    cache.clear()
    with ExitStack() as open_:
        device = open_.enter_context(serving(VENDORS[vendor]()))
        known = {"key": device.key, "secret": device.secret}
        with DRIVERS[vendor](Endpoint(device.url, known, seconds=20, settles=0.01)) as ours:
            for one in ALL:
                if one.vendor == vendor and "create" in one.operations and not one.action:
                    ours.write(one, "create", "", one.values(one.example))
                    ours.activate(one)
        yield factories.gateway(
            world.organization, device.url, vendor=vendor, site=world.site, **known
        )
        assert not device.faults, device.faults


OF_VENDORS = sorted({vendor for one in ROWS for vendor in vendors_of(one)})


@pytest.mark.django_db
@pytest.mark.parametrize("vendor", OF_VENDORS)
def test_what_the_pages_of_a_vendor_ask_for_has_its_shape(vendor: str, client: Client) -> None:
    world = build()
    found = []
    with filled(vendor, world) as gateway:
        headers = world.headers["super"]
        for row in (one for one in ROWS if vendor in vendors_of(one)):
            if row["method"] == "POST":
                found += staged(client, row, world, gateway, **headers)
                continue
            own = {"gateway_id": str(gateway.pk), "controller_id": str(gateway.pk)}
            url = path_of(world, row, **own, site="default")
            found += wrong(client, "GET", url, row, **headers)
            if not list(rows_in(client.get(url, **headers).json(), row["answer"])):
                found.append(f"{url} tells no row")
    assert not found, "\n".join(found)


def rows_in(told: Any, shape: Any) -> Iterator[Any]:
    """Yield the rows of an answer; the answer itself where it is no list of them."""
    names = (
        [name for name, one in shape.items() if isinstance(one, list)]
        if isinstance(shape, dict)
        else []
    )
    if isinstance(told, list):
        yield from told
    elif names and names[0] in {"items", *KEYS}:
        yield from told[names[0]]
    else:
        yield told


KEYS = frozenset(ROWS_AT.values())
OMADA = FEATURES["firewall.port_forward"]
OF_OMADA = {
    "vendor": "omada", "feature": OMADA.key, "operation": "create", "target_id": "",
    "payload": dict(OMADA.example),
}  # fmt: skip


def staged(
    client: Client, row: dict[str, Any], world: World, gateway: Gateway, **headers: str
) -> list[str]:
    """Stage a change that the client stages at this row's URL, and return what is wrong with it."""
    named = row["path"].rpartition("/")[2]
    one = next(
        one for one in [*STAGES, OF_OMADA]
        if one["vendor"] == gateway.vendor and named in {"{feature}", one["feature"]}
    )  # fmt: skip
    area = one["feature"].removeprefix(f"{one['vendor']}.").split(".")[0]
    own = {"controller_id": str(gateway.pk), "area": area, "feature": one["feature"]}
    url = path_of(world, {**row, "query": f"operation={one['operation']}"}, **own)
    body = {"payload": one["payload"], "target_id": one["target_id"] or None, "notes": None}
    return wrong(client, "POST", url, row, body=body, **headers)


def test_every_row_is_asked_for_somewhere() -> None:
    assert len(ROWS) == 99
    asked = len(OF_PORTAL) + sum(bool(vendors_of(one)) for one in ROWS) + len(ELSEWHERE)
    assert asked == len(ROWS)
    assert {one["set"] for one in ROWS} >= set("ABCDEFGHI")
