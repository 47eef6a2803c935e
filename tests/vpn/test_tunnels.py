"""Real tunnels between network namespaces, from generated configurations.

OpenWrt's conversion of a device's files is done here: UCI options become the options of the
same program.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.models import Organization
from controller.devices.models import Device
from controller.vpn import rules
from controller.vpn.models import Vpn
from tests import factories
from tests.fleet.namespaces import SECONDS, cable, give_address, make_space, run, tried, why_not
from tests.programs import works
from tests.vpn.test_clients import of_device, unpacked

pytestmark = pytest.mark.netns

SERVER_HOST = "192.0.2.1"


@pytest.fixture
def net() -> Iterator[tuple[str, str]]:
    """Create two connected namespaces, a server's and a device's."""
    if reason := why_not():
        pytest.skip(reason)
    tag = f"{os.getpid() % 100_000}"
    spaces = (f"mserver{tag}", f"mdevice{tag}")
    try:
        for space in spaces:
            make_space(space)
        cable(spaces[0], "there", spaces[1], "here")
        give_address(spaces[0], "there", f"{SERVER_HOST}/24")
        give_address(spaces[1], "here", "192.0.2.2/24")
        yield spaces
    finally:
        for space in spaces:
            tried("ip", "netns", "del", space)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []

    def started(*command: str, cwd: Path) -> subprocess.Popen[bytes]:
        with (cwd / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log)
        running.append(process)
        return process

    yield started
    for process in running:
        process.terminate()
        process.wait(SECONDS)


def inside(space: str, *command: str) -> tuple[str, ...]:
    return ("ip", "netns", "exec", space, *command)


def until(ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not ready():
        text = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        assert time.monotonic() < deadline, text
        time.sleep(0.2)


def answers(space: str, host: str) -> bool:
    return tried(*inside(space, "ping", "-c", "1", "-W", "1", host)).returncode == 0


def written(files: dict[str, str], folder: Path) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
    return folder


def of_server(vpn: Vpn) -> dict[str, str]:
    return unpacked(rules.rendered(Vpn.objects.get(pk=vpn.pk)).archive)


def sections(text: str) -> list[tuple[str, dict[str, list[str]]]]:
    """Parse a UCI file into sections: type, and option → values."""
    found: list[tuple[str, dict[str, list[str]]]] = []
    for line in text.splitlines():
        if header := re.match(r"config (\S+)", line):
            found.append((header[1], {}))
        elif option := re.match(r"\s+(?:option|list) (\S+) '(.*)'", line):
            found[-1][1].setdefault(option[1], []).append(option[2])
    return found


def openvpn_options(files: dict[str, str], folder: Path) -> str:
    """Convert options like OpenWrt's init script: a flag for 1, otherwise the value."""
    (section,) = (
        one for kind, one in sections(files["etc/config/openvpn"]) if kind == "openvpn"
    )
    flags = {"nobind", "pull", "tls_client", "persist_tun", "persist_key"}
    lines = []
    for name, values in section.items():
        option = name.replace("_", "-")
        for value in values:
            if name == "enabled" or (name in flags and value == "0"):
                continue
            if name in flags:
                lines.append(option)
            elif name in {"ca", "cert", "key"}:
                lines.append(f"{option} {folder}{value}")
            else:
                lines.append(f"{option} {value}")
    return "\n".join(lines)


def test_an_openvpn_tunnel_carries_a_ping(
    organization: Organization, net: tuple[str, str], start: Any, tmp_path: Path
) -> None:
    if not works("openvpn", "--version"):
        pytest.skip("openvpn is not installed")
    config = {
        "openvpn": [factories.OPENVPN["openvpn"][0] | {"verb": 3, "cipher": "AES-256-GCM"}]
    }
    vpn = factories.openvpn(organization, host=SERVER_HOST, config=config)
    template = factories.vpn_template(vpn)
    device = factories.device(organization, config={"templates": [template]})
    server, client = tmp_path / "server", tmp_path / "client"
    written(of_server(vpn), server)
    files = of_device(device)
    written(files | {"client.conf": openvpn_options(files, client)}, client)
    start(
        *inside(net[0], "openvpn", "--config", "tun0.conf", "--topology", "subnet"), cwd=server
    )
    start(*inside(net[1], "openvpn", "--config", "client.conf"), cwd=client)
    until(lambda: answers(net[1], "10.8.0.1"), client / "log")
    assert "VERIFY OK" in (server / "log").read_text()


@pytest.fixture
def wireguard(start: Any, tmp_path: Path) -> Callable[[str, str], None]:
    """Create a WireGuard interface in a namespace, by the kernel or by wireguard-go."""
    if reason := why_not():
        pytest.skip(reason)
    if not works("wg", "--version"):
        pytest.skip("wg is not installed (Debian: wireguard-tools)")

    def make_one(space: str, name: str) -> None:
        made = tried("ip", "-n", space, "link", "add", name, "type", "wireguard")
        if made.returncode == 0:
            return
        if not works("wireguard-go", "--version"):
            pytest.skip("the kernel has no WireGuard and wireguard-go is not installed")
        folder = tmp_path / f"{space}-{name}"
        folder.mkdir()
        start(*inside(space, "wireguard-go", "-f", name), cwd=folder)
        shown = ("ip", "-n", space, "link", "show", name)
        until(lambda: tried(*shown).returncode == 0, folder / "log")
        # The socket used by wg appears a moment later.
        until(lambda: Path(f"/var/run/wireguard/{name}.sock").exists(), folder / "log")

    return make_one


def set_up(space: str, name: str, settings: str, addresses: list[str], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.set"
    file.write_text(settings)
    run(*inside(space, "wg", "setconf", name, str(file)))
    for address in addresses:
        give_address(space, name, address)


def server_up(space: str, vpn: Vpn, name: str, folder: Path) -> None:
    """Apply the file like wg-quick: addresses separately, the rest by wg."""
    lines = of_server(vpn)[f"{vpn.config['wireguard'][0]['name']}.conf"].splitlines()
    addresses = [line.split(" = ")[1] for line in lines if line.startswith("Address")]
    settings = "\n".join(line for line in lines if not line.startswith("Address"))
    set_up(space, name, settings, addresses, folder)


def device_up(space: str, device: Device, name: str, folder: Path) -> None:
    """Configure an interface and its peers like OpenWrt's netifd."""
    parts = sections(of_device(device)["etc/config/network"])
    own = next(one for kind, one in parts if kind == "interface")
    (peer,) = (one for kind, one in parts if kind.startswith("wireguard_"))
    settings = (
        f"[Interface]\nPrivateKey = {own['private_key'][0]}\n"
        f"ListenPort = {own['listen_port'][0]}\n\n"
        f"[Peer]\nPublicKey = {peer['public_key'][0]}\n"
        f"AllowedIPs = {', '.join(peer['allowed_ips'])}\n"
        f"Endpoint = {peer['endpoint_host'][0]}:{peer['endpoint_port'][0]}\n"
    )
    set_up(space, name, settings, own["addresses"], folder)
    for network in peer["allowed_ips"]:
        run("ip", "-n", space, "route", "add", network, "dev", name)


def test_a_wireguard_tunnel_carries_a_ping(
    organization: Organization, net: tuple[str, str], wireguard: Any, tmp_path: Path
) -> None:
    vpn = factories.wireguard(organization, host=SERVER_HOST)
    template = factories.vpn_template(vpn)
    device = factories.device(organization, config={"templates": [template]})
    tag = f"{os.getpid() % 100_000}"
    wireguard(net[0], f"wgs{tag}")
    wireguard(net[1], f"wgc{tag}")
    server_up(net[0], vpn, f"wgs{tag}", tmp_path)
    device_up(net[1], device, f"wgc{tag}", tmp_path)
    until(lambda: answers(net[1], vpn.ip.ip_address), tmp_path / "log")
    shown = run(*inside(net[0], "wg", "show", f"wgs{tag}", "latest-handshakes"))
    key, at = shown.split()
    assert key == vpn.clients.get().public_key
    assert int(at) > 0


def test_a_device_that_left_is_let_in_no_more(
    organization: Organization, net: tuple[str, str], wireguard: Any, tmp_path: Path
) -> None:
    vpn = factories.wireguard(organization, host=SERVER_HOST)
    template = factories.vpn_template(vpn)
    device = factories.device(organization, config={"templates": [template]})
    tag = f"{os.getpid() % 100_000}"
    wireguard(net[1], f"wgc{tag}")
    device_up(net[1], device, f"wgc{tag}", tmp_path)
    rules.set_clients(device, {})
    wireguard(net[0], f"wgs{tag}")
    server_up(net[0], vpn, f"wgs{tag}", tmp_path)
    assert not answers(net[1], vpn.ip.ip_address)
    assert run(*inside(net[0], "wg", "show", f"wgs{tag}", "peers")) == ""
