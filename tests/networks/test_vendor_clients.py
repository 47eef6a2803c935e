"""Third-party clients against the stand-ins: our drivers see their changes."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import librouteros
import proxmoxer
import pytest
import routeros_api
from aio_openwrt import Ubus
from pyfsense_client.v2 import ClientConfig, FirewallAliasCreate, PfSenseV2Client
from unifi_official_api import LocalAuth
from unifi_official_api.network import UniFiNetworkClient

from networks.gateways.drivers import DRIVERS
from networks.gateways.drivers.contract import Endpoint, Gateway, Rejected, Unreachable
from networks.gateways.engine.features import FEATURES
from tests.fleet.certificates import self_made
from tests.fleet.gateway import StandIn, serving
from tests.fleet.mikrotik import MikroTik
from tests.fleet.openwrt import OpenWrt
from tests.fleet.opnsense import OPNsense
from tests.fleet.pfsense import PfSense
from tests.fleet.proxmox import Proxmox
from tests.fleet.unifi import UniFi

LEASE = FEATURES["mikrotik.dhcp.lease_static"]
MENU = "/ip/dhcp-server/lease"


@pytest.fixture(autouse=True)
def _gateways_are_on_this_machine(settings: Any) -> None:
    settings.MUSTER_LOCAL_GATEWAYS = True


def driver(device: StandIn, url: str, **more: Any) -> Gateway:
    known = {"key": device.key, "secret": more.pop("secret", device.secret)}
    vendor = type(device).__name__.lower()
    return DRIVERS[vendor](Endpoint(url, known, **{"seconds": 20, **more}))


@pytest.fixture
def router() -> Iterator[MikroTik]:
    with serving(MikroTik()) as device:
        yield device


def binary(router: MikroTik) -> str:
    return f"http://127.0.0.1:{router.api_port}/api"


def librouteros_of(router: MikroTik) -> Any:
    return librouteros.connect(
        host="127.0.0.1", username=router.key, password=router.secret, port=router.api_port,
        timeout=20,
    )  # fmt: skip


def test_a_router_is_the_same_by_rest_by_the_binary_api_and_by_librouteros(
    router: MikroTik,
) -> None:
    api = librouteros_of(router)
    name = api.path(MENU).add(**{"address": "192.168.88.9", "mac-address": "02:00:00:00:00:09"})
    for url in (router.url, binary(router)):
        with driver(router, url) as ours:
            assert ours.ids(LEASE, {}) == [name]
            held = ours.read(LEASE, name)
            assert held is not None
            assert held["address"] == "192.168.88.9"
            comment = f"From {url}"
            ours.write(LEASE, "update", name, {"comment": comment})
        assert [row["comment"] for row in api.path(MENU)] == [comment]
    with driver(router, binary(router)) as ours:
        made = ours.write(LEASE, "create", "", {"address": "192.168.88.10", "mac-address": "x"})
        assert made in {row[".id"] for row in api.path(MENU)}
        ours.write(LEASE, "delete", made, {})
        assert ours.read(LEASE, made) is None
        assert ours.facts()["version"].startswith("7.")
    with pytest.raises(librouteros.exceptions.TrapError):
        api.path(MENU).remove(made)
    api.close()


def test_routeros_api_sees_what_the_binary_driver_writes(router: MikroTik) -> None:
    with driver(router, binary(router)) as ours:
        ours.write(LEASE, "create", "", {"address": "192.168.88.7", "comment": "Ø" * 200})
    pool = routeros_api.RouterOsApiPool(
        "127.0.0.1", username=router.key, password=router.secret, port=router.api_port,
        plaintext_login=True,
    )  # fmt: skip
    (row,) = pool.get_api().get_resource(MENU).get()
    assert (row["address"], row["comment"]) == ("192.168.88.7", "Ø" * 200)
    pool.disconnect()


def test_a_router_that_refuses_says_why_and_a_wrong_password_is_told(router: MikroTik) -> None:
    with driver(router, binary(router)) as ours, pytest.raises(Rejected, match="no such item"):
        ours.write(LEASE, "delete", "*FF", {})
    for url in (router.url, binary(router)):
        with pytest.raises(Unreachable), driver(router, url, secret="wrong") as ours:
            ours.facts()


def test_a_refusal_repeats_no_secret(router: MikroTik) -> None:
    user = FEATURES["mikrotik.ppp.secret"]
    router.refusal_text = "invalid value correct horse for argument password"
    router.trouble = "refuses"
    for url in (router.url, binary(router)):
        with driver(router, url) as ours, pytest.raises(Rejected) as refused:
            ours.write(user, "create", "", {"name": "anna", "password": "correct horse"})
        assert "correct horse" not in str(refused.value)
        assert "***" in str(refused.value)


def test_a_list_is_asked_for_once_however_many_are_read() -> None:
    device, alias = PfSense(), FEATURES["pfsense.firewall.alias"]
    device.rows["firewall/alias"] = [{"name": f"a{n}", "type": "host"} for n in range(20)]
    with serving(device), driver(device, device.url) as ours:
        assert all(ours.read(alias, one) for one in ours.ids(alias, {}))
        assert len(device.requests) == 1
        ours.write(alias, "update", "a3", {"descr": "changed"})
        assert (ours.read(alias, "a3") or {})["descr"] == "changed"


def test_proxmoxer_and_the_driver_see_one_cluster_behind_a_certificate_of_its_own(
    tmp_path: Path,
) -> None:
    pem, context = self_made(tmp_path / "pve.pem")
    device = Proxmox()
    device.tls = context
    alias, start = FEATURES["proxmox.firewall.alias"], FEATURES["proxmox.vm.start"]
    with serving(device):
        url = f"https://127.0.0.1:{device.port}"
        theirs = proxmoxer.ProxmoxAPI(
            f"127.0.0.1:{device.port}", user="root@pam", token_name="muster",
            token_value=device.secret, verify_ssl=False,
        )  # fmt: skip
        theirs.cluster.firewall.aliases.post(name="office", cidr="192.168.1.0/24")
        with driver(device, url, ca_certificate=pem) as ours:
            assert ours.ids(alias, {}) == ["office"]
            ours.write(alias, "update", "office", {"cidr": "192.168.2.0/24"})
            task = ours.write(start, "create", "", {"node": "pve", "vmid": "100"})
        (row,) = theirs.cluster.firewall.aliases.get()
        assert row["cidr"] == "192.168.2.0/24"
        assert theirs.nodes("pve").tasks(task).status.get()["exitstatus"] == "OK"
        theirs.cluster.firewall.aliases("office").delete()
        with driver(device, url, ca_certificate=pem) as ours:
            assert ours.read(alias, "office") is None
        with driver(device, url) as ours, pytest.raises(Unreachable):
            ours.facts()


def test_a_task_that_failed_is_no_deed() -> None:
    device = Proxmox()
    device.exitstatus = "can't lock file - got timeout"
    start = FEATURES["proxmox.vm.start"]
    with (
        serving(device),
        driver(device, device.url) as ours,
        pytest.raises(Rejected, match="can't lock file"),
    ):
        ours.write(start, "create", "", {"node": "pve", "vmid": "100"})


def test_unifi_official_api_and_the_driver_see_one_console() -> None:
    vlan = FEATURES["unifi.networks.vlan"]

    async def theirs(device: UniFi) -> list[str]:
        auth = LocalAuth(api_key=device.secret, verify_ssl=False)
        url = f"http://{device.host}:{device.port}"
        async with UniFiNetworkClient(auth=auth, base_url=url) as client:
            (site,) = await client.sites.get_all()
            made = await client.networks.create(
                site.id, name="Theirs", vlan_id=30, management="UNMANAGED", enabled=True
            )
            assert (await client.networks.get(site.id, made.id)).vlan_id == 30
            return sorted(one.name for one in await client.networks.get_all(site.id))

    console = UniFi()
    # This client sends a field unknown to all versions of the API.
    console.is_lenient = True
    with serving(console) as device, driver(device, device.url) as ours:
        ours.write(vlan, "create", "", {**vlan.values(vlan.example), "name": "Ours"})
        assert asyncio.run(theirs(device)) == ["Ours", "Theirs"]
        held = [ours.read(vlan, one) for one in ours.ids(vlan, {})]
        assert sorted(one["name"] for one in held if one) == ["Ours", "Theirs"]


def test_pyfsense_client_and_the_driver_see_one_firewall() -> None:
    alias = FEATURES["pfsense.firewall.alias"]
    with serving(PfSense()) as device, driver(device, device.url) as ours:
        theirs = PfSenseV2Client(ClientConfig(host=device.url, api_key=device.secret))
        wanted = FirewallAliasCreate(
            name="theirs", type="host", descr="Of theirs", address=["192.0.2.1"]
        )
        theirs.create_firewall_alias(wanted)
        ours.write(
            alias, "create", "", {"name": "ours", "type": "host", "address": "192.0.2.2"}
        )
        ours.write(alias, "update", "theirs", {"descr": "Of ours"})
        assert sorted(ours.ids(alias, {})) == ["ours", "theirs"]
        told = {one.name: one for one in theirs.get_firewall_aliases()}
        assert told["theirs"].descr == "Of ours"
        assert told["ours"].address == ["192.0.2.2"]
        theirs.delete_firewall_alias(told["theirs"].id)
    with serving(device), driver(device, device.url) as ours:
        assert ours.ids(alias, {}) == ["ours"]


def test_aio_openwrt_and_the_driver_see_one_router() -> None:
    host = FEATURES["openwrt.dhcp.static_host"]

    async def theirs(device: OpenWrt) -> Any:
        async with Ubus(f"{device.url}/ubus", device.key, device.secret) as ubus:
            await ubus.login()
            assert (await ubus.system.board())["hostname"] == "OpenWrt"
            values = {"name": "theirs", "mac": "02:00:00:00:00:07", "ip": "192.168.1.7"}
            known = {"config": "dhcp", "type": "host", "name": "theirs", "values": values}
            await ubus.call("uci", "add", known)
            await ubus.call("uci", "apply", {"rollback": True, "timeout": 30})
            await ubus.call("uci", "confirm")
            return (await ubus.call("uci", "get", {"config": "dhcp"}))["values"]

    with serving(OpenWrt()) as device, driver(device, device.url) as ours:
        made = ours.write(host, "create", "", host.values(host.example))
        ours.activate(host)
        told = asyncio.run(theirs(device))
        assert told[made]["ip"] == host.example["ip"]
    with serving(device), driver(device, device.url) as ours:
        assert (ours.read(host, "theirs") or {})["ip"] == "192.168.1.7"


# This client changes import path and timeouts of its whole process.
OXL = """
import sys
from oxl_opnsense_client import Client
port, secret, pem = sys.argv[1:]
with Client(firewall="127.0.0.1", port=int(port), token="key-of-the-portal", secret=secret,
            ssl_ca_file=pem, api_timeout=20.0) as client:
    told = client.run_module("interface_vlan", params={
        "interface": "igb0", "vlan": 30, "description": "Of theirs",
    })
    assert told["result"]["changed"], told
    again = client.run_module("interface_vlan", params={
        "interface": "igb0", "vlan": 20, "description": "Of ours",
    })
    assert not again["result"]["changed"], again
"""


def test_oxl_opnsense_client_and_the_driver_see_one_firewall(tmp_path: Path) -> None:
    vlan = FEATURES["opnsense.interfaces.vlan"]
    device = OPNsense()
    pem, device.tls = self_made(tmp_path / "fw.pem")
    with serving(device), driver(device, device.url, ca_certificate=pem) as ours:
        values = {
            "if": "igb0",
            "tag": "20",
            "pcp": "0",
            "vlanif": "vlan0.20",
            "descr": "Of ours",
        }
        ours.write(vlan, "create", "", values)
        command = [
            sys.executable,
            "-c",
            OXL,
            str(device.port),
            device.secret,
            tmp_path / "fw.pem",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        held = [ours.read(vlan, one) or {} for one in ours.ids(vlan, {})]
    assert sorted((row["tag"], row["descr"]) for row in held) == [
        ("20", "Of ours"), ("30", "Of theirs"),
    ]  # fmt: skip
