"""The stand-ins are asked by clients that others wrote, and our drivers see what those did."""

import datetime
import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import librouteros
import proxmoxer
import pytest
import routeros_api
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from networks.drivers.gateways import DRIVERS
from networks.drivers.gateways.contract import (
    Endpoint,
    Gateway,
    OutcomeUnknown,
    Rejected,
    Unreachable,
)
from networks.engine.features import FEATURES
from tests.fleet.gateway import StandIn
from tests.fleet.http import Supervisors
from tests.fleet.mikrotik import MikroTik
from tests.fleet.pfsense import PfSense
from tests.fleet.proxmox import Proxmox

LEASE = FEATURES["mikrotik.dhcp.lease_static"]
MENU = "/ip/dhcp-server/lease"


def driver(device: StandIn, url: str, **more: Any) -> Gateway:
    known = {"key": device.key, "secret": more.pop("secret", device.secret)}
    vendor = type(device).__name__.lower()
    return DRIVERS[vendor](
        Endpoint(url, known, is_local_allowed=True, **{"seconds": 20, **more})
    )


@pytest.fixture
def router() -> Iterator[MikroTik]:
    device = MikroTik()
    with Supervisors(device) as fleet:
        yield device
        fleet.loop.call_soon_threadsafe(device.released.set)


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


@pytest.mark.parametrize("trouble", ["late before", "late after", "dropped after"])
def test_who_got_no_answer_by_the_binary_api_does_not_know(
    router: MikroTik, trouble: str
) -> None:
    with driver(router, binary(router), seconds=0.5) as ours:
        router.trouble = trouble
        with pytest.raises(OutcomeUnknown):
            ours.write(LEASE, "create", "", {"address": "192.168.88.7"})


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
    with Supervisors(device), driver(device, device.url) as ours:
        assert all(ours.read(alias, one) for one in ours.ids(alias, {}))
        assert len(device.requests) == 1
        ours.write(alias, "update", "a3", {"descr": "changed"})
        assert (ours.read(alias, "a3") or {})["descr"] == "changed"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, ssl.SSLContext]:
    """One that the gateway made itself: as PEM, and for a server."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pve")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = tmp_path / "pve.pem"
    file.write_bytes(pem + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return pem.decode(), context


def test_proxmoxer_and_the_driver_see_one_cluster_behind_a_certificate_of_its_own(
    certificate: tuple[str, ssl.SSLContext],
) -> None:
    pem, context = certificate
    device = Proxmox()
    device.tls = context
    alias, start = FEATURES["proxmox.firewall.alias"], FEATURES["proxmox.vm.start"]
    with Supervisors(device):
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


def test_a_task_that_failed_is_no_deed(certificate: Any) -> None:
    device = Proxmox()
    device.exitstatus = "can't lock file - got timeout"
    start = FEATURES["proxmox.vm.start"]
    with (
        Supervisors(device),
        driver(device, device.url) as ours,
        pytest.raises(Rejected, match="can't lock file"),
    ):
        ours.write(start, "create", "", {"node": "pve", "vmid": "100"})
