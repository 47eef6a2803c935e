"""Devices and gateways by kind: FreeSDN's /switches/, /firewall/ etc."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import Organization
from controller.accounts.rules import sites
from controller.devices.models import Device
from networks.gateways.models import Change, Gateway
from tests import factories
from tests.fleet import gateways as demo
from tests.fleet.http import Supervisors
from tests.networks.applying import work_off


@pytest.fixture
def mixed(organization: Organization) -> Organization:
    site = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    for name, kind in (("sw-1", "switch"), ("sw-2", "switch"), ("fw-2", "firewall")):
        device = factories.device(organization, name=name)
        Device.objects.filter(pk=device.pk).update(kind=kind, model="Edge 24", site=site)
    factories.gateway(organization, name="fw-1", vendor="mikrotik")
    factories.gateway(organization, name="pve", vendor="proxmox")
    return organization


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [one["name"] for one in answer.json()["items"]]


def test_each_kind_has_its_devices_and_gateways(mixed: Organization, api: Any) -> None:
    owner = api(factories.user(mixed))
    assert names(owner.get("/api/v1/switches/")) == ["sw-1", "sw-2"]
    assert names(owner.get("/api/v1/firewall")) == ["fw-1", "fw-2"]
    assert names(owner.get("/api/v1/hypervisor/")) == ["pve"]
    for empty in ("access-points", "cameras", "voip"):
        assert names(owner.get(f"/api/v1/{empty}/")) == []
    gateway, device = owner.get("/api/v1/firewall/").data["items"]
    assert (gateway["origin"], gateway["vendor"], gateway["status"]) == (
        "gateway", "mikrotik", "unknown",
    )  # fmt: skip
    assert (device["origin"], device["model"]) == ("device", "Edge 24")


def test_they_are_narrowed_paged_and_counted(mixed: Organization, api: Any) -> None:
    owner, site = api(factories.user(mixed)), Device.objects.get(name="fw-2").site_id
    assert names(owner.get(f"/api/v1/firewall/?site_id={site}")) == ["fw-2"]
    assert names(owner.get("/api/v1/firewall/?status=unknown&search=fw-1")) == ["fw-1"]
    page = owner.get("/api/v1/switches/?per_page=1&page=2").data
    assert (page["total"], page["pages"], page["items"][0]["name"]) == (2, 2, "sw-2")
    assert owner.get("/api/v1/switches/?site_id=here").status_code == 422
    assert owner.get("/api/v1/switches/?per_page=201").status_code == 422


def test_a_stranger_sees_none_of_them(mixed: Organization, api: Any) -> None:
    stranger = api(factories.user(factories.organization()))
    for kind in ("switches", "firewall", "hypervisor"):
        assert names(stranger.get(f"/api/v1/{kind}/")) == []


def test_more_of_them_take_no_more_queries(mixed: Organization, api: Any) -> None:
    owner, counts = api(factories.user(mixed)), []
    owner.get("/api/v1/firewall/")
    for _ in range(2):
        factories.gateway(mixed, vendor="openwrt")
        with CaptureQueriesContext(connection) as asked:
            names(owner.get("/api/v1/firewall/"))
        counts.append(len(asked))
    assert counts[0] == counts[1]
    assert Gateway.objects.count() == 4


def test_what_a_device_is_for_is_said_over_the_api(mixed: Organization, api: Any) -> None:
    owner, device = api(factories.user(mixed)), Device.objects.get(name="sw-1")
    path = f"/api/v1/devices/{device.pk}/"
    answer = owner.patch(path, {"device_type": "camera"}, format="json")
    assert answer.data["device_type"] == "camera"
    assert names(owner.get("/api/v1/cameras/")) == ["sw-1"]
    assert names(owner.get("/api/v1/devices/?device_type=camera")) == ["sw-1"]
    assert owner.patch(path, {"device_type": "toaster"}, format="json").status_code == 422
    owner.patch(path, {"device_type": "other"}, format="json")
    assert names(owner.get("/api/v1/cameras/")) == []
    counts = owner.get("/api/v1/devices/stats/summary/").data["by_type"]
    assert counts == {"other": 1, "switch": 1, "firewall": 1}


@contextmanager
def in_the_demo(folder: Path) -> Iterator[dict[str, Any]]:
    """Run the demo's stand-ins, and tell the portal about them."""
    Organization.objects.filter(pk=factories.organization().pk).update(slug="demo")
    devices = {vendor: kind() for vendor, kind in demo.VENDORS.items()}
    demo.seed(devices)
    with Supervisors(*devices.values()):
        told = {
            vendor: {"url": one.url, "key": one.key, "secret": one.secret}
            for vendor, one in devices.items()
        }
        (folder / "gateways.json").write_text(json.dumps(told))
        call_command("demo_gateways", fleet=folder, stdout=StringIO())
        yield dict(devices)


def test_the_demo_has_a_gateway_of_each_vendor_with_a_change_to_review(
    db: Any, tmp_path: Path, settings: Any
) -> None:
    settings.MUSTER_LOCAL_GATEWAYS = True
    factories.superuser()
    with in_the_demo(tmp_path) as devices:
        call_command("demo_gateways", fleet=tmp_path, stdout=StringIO())
    assert Change.objects.filter(state="pending").count() == len(devices)
    assert not Gateway.objects.filter(version="").exists()


def test_the_demo_carries_the_staged_walk_as_it_is_printed(
    db: Any, tmp_path: Path, settings: Any, api: Any, writes: Any
) -> None:
    owner = api(factories.superuser())
    with in_the_demo(tmp_path) as devices:
        firewall: Any = devices["opnsense"]
        gateway = Gateway.objects.get(vendor="opnsense")
        assert gateway.site is not None
        staged = owner.post(
            f"/api/v1/gateway-opnsense-vpn/{gateway.pk}/changes/opnsense.vpn.wireguard?operation=update",
            {"payload": {"listen_port": 51820}, "notes": "Standardise WireGuard port"},
            format="json",
        )  # fmt: skip
        assert staged.status_code == 201
        change = staged.data["id"]
        base = "/api/v1/gateway-vpn"
        waiting = f"{base}/{gateway.pk}/sites/{gateway.site_id}/changes?status=pending"
        drawer = f"{base}/changes/by-gateway/{gateway.pk}?vendor=opnsense&status=pending"
        for path in (waiting, drawer):
            assert change in [str(one["id"]) for one in owner.get(path).data]
        settings.ADAPTER_READ_ONLY = True
        path = f"{base}/changes/{change}"
        refused = owner.post(f"{path}/apply", {"force": True}, format="json")
        assert "ADAPTER_READ_ONLY" in refused.data["error"]["message"]
        settings.ADAPTER_READ_ONLY = False
        assert owner.post(f"{path}/apply", {"force": True}, format="json").status_code == 202
        work_off()
        (held,) = firewall.rows["wireguard/server"].values()
        assert (held["name"], held["port"]) == ("wg0", "51820")
        assert firewall.active == ["wireguard/service/reconfigure"]
        assert owner.post(f"{path}/discard?force=false").status_code == 409
        for other in Change.objects.filter(state="pending"):
            gone = owner.post(f"{base}/changes/{other.pk}/discard?force=false")
            assert gone.data["status"] == "discarded"
