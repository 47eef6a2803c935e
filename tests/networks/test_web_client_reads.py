"""What FreeSDN's web client reads of gateways, under its own URLs, and stages on them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from controller.accounts.models import User
from controller.base.errors import Refused
from networks.gateways.engine.client_bodies import in_our_words
from networks.gateways.engine.features import FEATURES
from networks.gateways.engine.web_pages import ROWS_AT
from networks.gateways.engine.web_paths import feature_at, part_at
from networks.gateways.models import Gateway
from networks.gateways.rules import changes
from networks.gateways.rules.gateways import look
from tests import factories
from tests.fleet.gateway import serving
from tests.fleet.gateways import VENDORS
from tests.networks.applying import applied

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("writes")]
CONTRACT = Path(__file__).parents[1] / "contract/freesdn_web_gateways.json"
DOCUMENT: dict[str, Any] = json.loads(CONTRACT.read_text())
READS = [(one["vendor"], one["path"], one["feature"]) for one in DOCUMENT["reads"]]


@contextmanager
def at(vendor: str) -> Iterator[Any]:
    cache.clear()
    with serving(VENDORS[vendor]()) as device:
        yield device, factories.gateway(
            factories.organization(), device.url, vendor=vendor, key=device.key,
            secret=device.secret,
        )  # fmt: skip
        assert not device.faults, device.faults


@pytest.mark.parametrize("vendor", sorted({vendor for vendor, _, _ in READS}))
def test_each_url_of_the_client_reads_its_feature(vendor: str, api: Any) -> None:
    with at(vendor) as (_, gateway):
        user = factories.user(gateway.organization, "viewer")
        for path, feature in [(path, name) for own, path, name in READS if own == vendor]:
            url = f"/api/v1/{path.replace('{id}', str(gateway.pk))}"
            answer = api(user).get(url)
            assert answer.status_code == 200, (url, answer.content)
            told = answer.json()
            if path.startswith("firewall/"):
                rows = told[ROWS_AT[path.rpartition("{id}/")[2]]]
                assert rows == told["items"]
            elif feature:
                assert {"controller_id", "fetched_at"} <= told.keys()
                assert ("item" in told) is not ("items" in told)
            else:
                assert (
                    told["info" if vendor == "openwrt" else "resource"]["version"] is not None
                )


@pytest.mark.parametrize(("vendor", "path", "feature"), READS)
def test_words_of_the_url_are_those_of_the_feature(
    vendor: str, path: str, feature: str
) -> None:
    head, _, what = path.partition("/{id}/")
    what = what.removeprefix("sites/default/")
    area = head.removeprefix(f"gateway-{vendor}").strip("-") if "gateway-" in head else ""
    found = feature_at(vendor, area, what)
    assert (found.key if found else "") == feature


def test_rows_carry_the_id_under_each_name_that_the_client_looks_for(
    admin: User, api: Any
) -> None:
    with at("mikrotik") as (device, gateway):
        device.menus["ip/dns/static"]["*7"] = {"name": "nas", "address": "192.0.2.5"}
        url = f"/api/v1/gateway-mikrotik-dns/{gateway.pk}/static"
        (row,) = api(admin).get(url).json()["items"]
        assert (row["name"], row[".id"], row["id"], row["_id"]) == ("nas", "*7", "*7", "*7")
        asked = len(device.requests)
        api(admin).get(url)
        assert len(device.requests) == asked


def test_what_a_vendor_does_not_tell_is_not_found_and_live_parts_are_read(
    admin: User, api: Any
) -> None:
    with at("openwrt") as (_, gateway):
        (row,) = (
            api(admin).get(f"/api/v1/gateway-openwrt/{gateway.pk}/arp-table").json()["items"]
        )
        assert (row["ip"], row["mac_address"]) == ("192.168.1.9", "02:00:00:00:00:99")
        answer = api(admin).get(f"/api/v1/gateway-openwrt/{gateway.pk}/wormholes")
        assert answer.status_code == 404
    assert part_at("logs/system") == "log"


def test_gateways_and_controllers_are_listed_as_the_client_shows_them(
    admin: User, api: Any, organization: Any
) -> None:
    firewall = factories.gateway(organization, "https://192.0.2.1:8443", vendor="opnsense")
    console = factories.gateway(
        organization, "https://192.0.2.2/network/branch", vendor="unifi"
    )
    Gateway.objects.filter(pk=console.pk).update(polled="2026-11-30T12:00Z")
    told = api(admin).get("/api/v1/firewall/gateways?limit=200").json()
    (row,) = told["items"]
    assert set(DOCUMENT["firewall"]) <= row.keys()
    assert (row["id"], row["host"], row["port"]) == (str(firewall.pk), "192.0.2.1", 8443)
    assert (row["is_online"], row["sync_status"]) == (False, "never")
    assert api(admin).get(f"/api/v1/firewall/gateways/{firewall.pk}").json() == row
    told = api(admin).get("/api/v1/controllers/?per_page=100&controller_type=unifi").json()
    (row,) = told["items"]
    assert set(DOCUMENT["controller"]) <= row.keys()
    assert (row["status"], row["config"]) == ("connected", {"site": "branch"})
    assert api(admin).get(f"/api/v1/controllers/{console.pk}").json() == row
    told = api(admin).get("/api/v1/firewall/gateways/summary").json()
    assert (told["total_gateways"], told["by_vendor"]) == (1, {"opnsense": 1})
    for name in ("rules", "nat", "vpn", "logs", "ids/alerts"):
        assert api(admin).get(f"/api/v1/firewall/{name}?limit=200").json()["items"] == []


def test_the_hypervisor_page_has_nodes_and_guests(admin: User, api: Any) -> None:
    with at("proxmox") as (_, gateway):
        base = f"/api/v1/hypervisor/controllers/{gateway.pk}"
        told = api(admin).get(f"{base}/dashboard").json()
        assert (told["total_vms"], told["running_vms"], told["total_containers"]) == (1, 1, 1)
        assert (told["total_memory_bytes"], told["memory_usage_percent"]) == (4000, 75.0)
        (node,) = api(admin).get(f"{base}/nodes").json()
        assert (node["node"], node["cpu_count"], node["cpu_percent"]) == ("pve", 8, 12.5)
        (guest,) = api(admin).get(f"{base}/vms?type=qemu").json()
        assert (guest["vmid"], guest["name"], guest["status"]) == (100, "web", "running")
    other = factories.gateway(gateway.organization, vendor="omada")
    answer = api(admin).get(f"/api/v1/hypervisor/controllers/{other.pk}/nodes")
    assert answer.status_code == 404


def staged(api: Any, user: User, gateway: Gateway, row: dict[str, Any]) -> Any:
    """Send a change as the client does: with a null for what it does not tell."""
    feature = FEATURES[row["feature"]]
    body = {"payload": row["payload"], "target_id": row["target_id"] or None, "notes": None}
    return api(user).post(
        f"/api/v1/gateway-{feature.vendor}-{feature.area}/{gateway.pk}/changes/"
        f"{row['feature']}?operation={row['operation']}", body, format="json",
    )  # fmt: skip


@pytest.mark.parametrize("vendor", sorted({one["vendor"] for one in DOCUMENT["stages"]}))
def test_what_the_client_stages_is_taken(vendor: str, admin: User, api: Any) -> None:
    # The gateway is away: the change is staged by its words alone.
    gateway = factories.gateway(factories.organization(), "http://127.0.0.1:9", vendor=vendor)
    wrong = []
    for row in DOCUMENT["stages"]:
        if row["vendor"] == vendor:
            answer = staged(api, admin, gateway, row)
            if answer.status_code != 201 or "site" in answer.json()["payload"]:
                wrong.append((row["feature"], row["operation"], answer.content))
    assert not wrong, wrong


def test_what_a_vendor_does_not_have_is_refused_by_the_name_of_its_field(
    admin: User, api: Any
) -> None:
    gateway = factories.gateway(
        factories.organization(), "http://127.0.0.1:9", vendor="mikrotik"
    )
    for row in DOCUMENT["refused"]:
        answer = staged(api, admin, gateway, row)
        assert answer.status_code == 422, row
        told = answer.json()
        assert row["field"] in [one["field"] for one in told["error"]["details"]], told
        assert isinstance(told["detail"], str)
    assert not gateway.changes.exists()


def test_what_is_incomplete_is_refused_in_the_words_of_the_feature() -> None:
    feature = FEATURES["unifi.firewall.create_policy"]
    payload, _ = in_our_words(feature, "create", {"site": "default", "name": "x"}, "")
    assert payload == {"name": "x"}
    assert "payload.source.zoneId" in feature.problems("create", payload)
    feature = FEATURES["unifi.networks.create_vlan"]
    payload, _ = in_our_words(feature, "create", {"name": "x", "subnet": "nonsense"}, "")
    assert payload == {"name": "x", "subnet": "nonsense"}


def test_a_device_of_unifi_is_restarted_by_its_mac_address(admin: User) -> None:
    with at("unifi") as (device, gateway):
        feature = FEATURES["unifi.devices.restart"]
        change = changes.stage(
            gateway, feature=feature, operation="update", payload={},
            target_id="02:00:00:00:00:01", by=admin,
        )  # fmt: skip
        assert applied(change, admin).state == "applied"
        assert device.booted == 2
        change = changes.stage(
            gateway, feature=feature, operation="update", payload={},
            target_id="02:00:00:00:00:77", by=admin,
        )  # fmt: skip
        with pytest.raises(Refused, match="no device with this MAC"):
            applied(change, admin)


def test_pages_of_firewalls_find_rows_under_their_names(admin: User, api: Any) -> None:
    with at("opnsense") as (_, gateway):
        look(gateway)
        base = f"/api/v1/firewall/gateways/{gateway.pk}"
        for path, name in (("interfaces", "interfaces"), ("dhcp", "leases"), ("vpn", "tunnels"),
                           ("logs/system", "logs"), ("arp", "arp_entries")):  # fmt: skip
            assert api(admin).get(f"{base}/{path}").json()[name], path
        summary = api(admin).get(f"{base}/device-summary").json()["summary"]
        assert {"memory_usage_pct", "disk_usage_pct", "uptime_text"} <= summary.keys()
        assert api(admin).get(f"{base}/health").json()["gateways"]
        assert api(admin).get(f"{base}/firmware").json()["firmware"]["current_version"]
        # What the portal does not read is empty, and what nobody asks for is not found.
        assert api(admin).get(f"{base}/services").json()["services"] == []
        assert api(admin).get(f"{base}/haproxy").json() == {}
        assert api(admin).get(f"{base}/wormholes").status_code == 404
        assert api(admin).get(f"{base}/backups").json()["backups"] == []


def test_lists_of_routeros_and_of_hypervisors_are_told(admin: User, api: Any) -> None:
    with at("mikrotik") as (device, gateway):
        device.menus["file"] = {
            "*1": {"name": "before.backup", "contents": "secret"}, "*2": {"name": "flash"},
        }  # fmt: skip
        device.settings["snmp"]["trap-target"] = "192.0.2.50,192.0.2.51"
        base = f"/api/v1/gateway-mikrotik-system/{gateway.pk}"
        (row,) = api(admin).get(f"{base}/backup/list").json()
        assert (row["name"], row["contents"]) == ("before.backup", "")
        assert api(admin).get(f"{base}/firmware/status").json()["installed-version"] == "7.24"
        assert api(admin).get(f"{base}/neighbors/settings").status_code == 200
        assert api(admin).get(f"{base}/topology").json()["nodes"] == []
        security = f"/api/v1/gateway-mikrotik-security/{gateway.pk}/snmp"
        rows = api(admin).get(f"{security}/trap-targets").json()["items"]
        assert [one["address"] for one in rows] == ["192.0.2.50", "192.0.2.51"]
        assert isinstance(api(admin).get(f"{security}/v3-users").json(), list)
    with at("proxmox") as (_, gateway):
        base = f"/api/v1/hypervisor/controllers/{gateway.pk}"
        (row,) = api(admin).get(f"{base}/nodes/pve/storage").json()
        assert row["available"] == row["total"] - row["used"]
        for path in ("nodes/pve/tasks", "nodes/pve/network", "backup/jobs", "firewall/rules",
                     "ha/resources", "sdn/zones", "pools"):  # fmt: skip
            assert isinstance(api(admin).get(f"{base}/{path}").json(), list), path
        guest = api(admin).get(f"{base}/nodes/pve/qemu/100/config").json()
        assert guest["name"] == "web"
        assert api(admin).get(f"{base}/nodes/elsewhere/storage").json() == []
        fleet = api(admin).get("/api/v1/hypervisor/fleet/dashboard").json()
        assert (fleet["total_clusters"], fleet["clusters"][0]["cluster_name"]) == (
            1, gateway.name,
        )  # fmt: skip
        told = api(admin).get("/api/v1/hypervisor/fleet/task-statistics").json()
        assert told["aggregate"]["total"] == 0
