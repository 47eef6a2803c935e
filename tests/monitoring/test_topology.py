"""The topology: from what devices hear of each other, computed by hand."""

from typing import Any

import pytest

from controller.accounts.models import Organization
from controller.monitoring.admin.topology import path_between
from controller.monitoring.engine.topology import Graph, Seen, graph
from controller.monitoring.models import MonitoredDevice
from controller.monitoring.rules import app_reports
from tests import factories


def lldp(interface: str, name: str, port: str, mac: str = "") -> dict[str, str]:
    return {"interface": interface, "name": name, "port": port, "mac": mac}


def port(name: str, speed: str, *supported: str, mac: str = "") -> dict[str, Any]:
    return {"name": name, "speed": speed, "link_supported": list(supported), "mac": mac}


def seen(name: str, **values: Any) -> Seen:
    return Seen(id=name, name=name, mac=values.pop("mac", ""), **values)


def pairs(found: Graph) -> dict[str, tuple[str, str, str]]:
    return {
        " ".join(sorted((one.source, one.target))): (one.kind, one.source_port, one.target_port)
        for one in found.links
    }


def test_both_ends_of_a_cable_are_one_link() -> None:
    one = seen("core", body={"lldp": [lldp("ge-0/0/1", "edge.example.org", "eth0")]})
    two = seen("edge", body={"lldp": [lldp("eth0", "core", "ge-0/0/1")]})
    found = graph([one, two])
    (link,) = found.links
    assert (link.kind, link.source_port, link.target_port) == ("lldp", "ge-0/0/1", "eth0")
    assert not link.is_one_sided
    # Seen from one end alone.
    (link,) = graph([one, seen("edge")]).links
    assert link.is_one_sided


def test_the_best_known_link_of_a_pair_counts() -> None:
    router = seen("router", mac="02:00:00:00:00:01", address="192.0.2.1")
    arp = {"neighbors": [{"mac": "02:00:00:00:00:01", "ip": "192.0.2.1", "interface": "wan"}]}
    assert pairs(graph([router, seen("ap", body=arp)])) == {"ap router": ("arp", "wan", "")}
    led = seen("ap", body=arp, uplink="router")
    assert pairs(graph([router, led])) == {"ap router": ("uplink", "", "")}
    cabled = seen("ap", uplink="router", body=arp | {"lldp": [lldp("wan", "router", "e1")]})
    assert pairs(graph([router, cabled])) == {"ap router": ("lldp", "wan", "e1")}


def test_a_slow_port_and_a_gone_device_come_first() -> None:
    body = {
        "lldp": [lldp("p1", "a", "x"), lldp("p2", "b", "x"), lldp("p3", "c", "x")],
        "interfaces": [
            port("p1", "1000F", "100baseT-F", "1000baseT-F"),
            port("p2", "100F", "100baseT-F", "1000baseT-F"),
            port("p3", "1000F", "1000baseT-F"),
        ],
    }  # fmt: skip
    devices = [seen("core", body=body, health="ok"), seen("a", health="ok"),
               seen("b", health="ok"), seen("c", health="critical")]  # fmt: skip
    found = [(one.target, one.is_gone, one.is_slow, one.speed) for one in graph(devices).links]
    assert found == [
        ("c", True, False, 1e9), ("b", False, True, 1e8), ("a", False, False, 1e9),
    ]  # fmt: skip


def test_peers_of_a_mesh_are_linked() -> None:
    mesh = {
        "interfaces": [
            {"name": "mesh0", "mac": "02:00:00:00:00:0a",
             "wireless": {"mode": "802.11s", "clients": [{"mac": "02:00:00:00:00:0b"}]}},
        ],
    }  # fmt: skip
    other = {"interfaces": [{"name": "mesh0", "mac": "02:00:00:00:00:0b"}]}
    assert pairs(graph([seen("one", body=mesh), seen("two", body=other)])) == {
        "one two": ("mesh", "mesh0", "")
    }


def test_what_nobody_manages_is_a_node_of_its_own() -> None:
    found = graph([seen("edge", body={"lldp": [lldp("eth0", "printer", "1")]})])
    assert [(one.label, one.is_managed) for one in found.nodes] == [
        ("edge", True), ("printer", False),
    ]  # fmt: skip
    assert not found.links[0].is_one_sided


def test_overlay_networks_join_their_members() -> None:
    members = [seen(name, networks=[("n1", "Branches")]) for name in ("a", "b")]
    found = graph(members)
    assert {one.target for one in found.links} == {"overlay:n1"}
    assert [one.label for one in found.nodes] == ["Branches", "a", "b"]


def test_layers_follow_kinds_and_uplinks() -> None:
    devices = [
        seen("ap", uplink="switch"), seen("switch", uplink="gw", kind="switch"),
        seen("gw"), seen("box", kind="router"),
    ]  # fmt: skip
    assert {one.label: one.layer for one in graph(devices).nodes} == {
        "gw": 1, "box": 1, "switch": 2, "ap": 3,
    }  # fmt: skip


def test_a_link_within_a_row_goes_around_what_stands_between() -> None:
    left, right, below = {"x": 10, "y": 50}, {"x": 110, "y": 50}, {"x": 60, "y": 160}
    assert path_between(left, right) == "M10 50Q60 -14 110 50"
    assert path_between(left, below) == "M10 50L60 160"


@pytest.mark.django_db
def test_the_topology_is_told_to_those_who_may_see_the_devices(
    api: Any, organization: Organization, client: Any
) -> None:
    core = factories.device(organization, name="core", kind="switch")
    edge = factories.device(organization, name="edge")
    stranger = factories.device(factories.organization(), name="stranger")
    base = {"type": "DeviceMonitoring", "general": {"uptime": 5}}
    app_reports.take(
        {
            core.pk: base | {"lldp": [lldp("p1", "edge", "eth0"), lldp("p2", "stranger", "x")]},
            stranger.pk: base,
        }
    )
    MonitoredDevice.objects.get_or_create(device=edge)
    found = api(factories.user(organization, "viewer")).get("/api/v1/monitoring/topology/")
    body = found.json()
    assert body["type"] == "NetworkGraph"
    assert [one["label"] for one in body["nodes"]] == ["core", "edge", "stranger"]
    # The name is heard by LLDP, and leads to no other organization's device.
    assert [one["properties"]["managed"] for one in body["nodes"]] == [True, True, False]
    assert {(one["source"], one["target"]) for one in body["links"]} == {
        (str(core.pk), str(edge.pk)), (str(core.pk), "unmanaged:stranger"),
    }  # fmt: skip
    client.force_login(factories.user(organization, "viewer", is_staff=True))
    page = client.get("/admin/monitoring/monitoreddevice/topology/")
    assert page.status_code == 200
    text = page.content.decode()
    assert f"/admin/devices/device/{edge.pk}/change/" in text
    assert str(stranger.pk) not in text
    guest = factories.user(organization, "guest", is_staff=True)
    client.force_login(guest)
    assert client.get("/admin/monitoring/monitoreddevice/topology/").status_code == 403


@pytest.mark.django_db
def test_many_devices_cost_as_many_queries_as_few(
    api: Any, organization: Organization, django_assert_max_num_queries: Any
) -> None:
    viewer = api(factories.user(organization, "viewer"))
    for at in range(20):
        factories.device(organization, name=f"device-{at}")
    with django_assert_max_num_queries(14):
        assert len(viewer.get("/api/v1/monitoring/topology/").json()["nodes"]) == 20
