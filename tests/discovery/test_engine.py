"""Scan targets and fingerprints, without a network."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from controller.discovery.drivers.neighbors import manufacturer
from controller.discovery.drivers.protocols import clean, icmp
from controller.discovery.engine import fingerprint, snmp, targets

PRIVATE = ["10.0.0.0/8", "fc00::/7"]


def listed(*texts: str, without: tuple[str, ...] = ()) -> list[str]:
    return list(targets.hosts([targets.parse(t) for t in texts], [targets.parse(t) for t in without]))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10.0.0.7", ["10.0.0.7"]),
        ("10.0.0.0/30", ["10.0.0.1", "10.0.0.2"]),
        ("10.0.0.0/31", ["10.0.0.0", "10.0.0.1"]),
        ("10.0.0.9-11", ["10.0.0.9", "10.0.0.10", "10.0.0.11"]),
        ("10.0.0.255 - 10.0.1.0", ["10.0.0.255", "10.0.1.0"]),
        ("fd00::1-fd00::2", ["fd00::1", "fd00::2"]),
    ],
)
def test_targets_are_written_as_people_write_them(text: str, found: list[str]) -> None:
    assert listed(text) == found


def test_no_address_is_asked_twice_nor_one_that_is_left_out() -> None:
    assert listed("10.0.0.1-3", "10.0.0.2-5", without=("10.0.0.4",)) == [
        "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.5",
    ]  # fmt: skip


def test_a_scan_goes_on_where_it_was() -> None:
    whole = [targets.parse("10.0.0.0/24")]
    assert next(targets.hosts(whole, [], 250)) == "10.0.0.251"


@pytest.mark.parametrize("text", ["", "host", "10.0.0.0/33", "10.0.0.9-8", "10.0.0.1-fd00::1", "1.2.3.4-999"])  # fmt: skip
def test_what_is_no_target_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no address, network or range"):
        targets.parse(text)


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", "169.254.169.254", "8.8.8.0/24", "9.255.255.250-10.0.0.5", "::1", "fe80::1", "224.0.0.1"],
)  # fmt: skip
def test_what_is_outside_of_the_permitted_networks_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not in a network that may be scanned"):
        targets.check([targets.parse(text)], PRIVATE)


def test_too_much_is_refused_before_it_is_counted() -> None:
    with pytest.raises(ValueError, match="more than 65536"):
        targets.check([targets.parse("10.0.0.0/8")], PRIVATE)


@pytest.mark.parametrize(
    ("said", "vendor", "kind"),
    [
        ("OpenWrt - LuCI", "openwrt", "router"),
        ("SSH-2.0-ROSSSH RouterOS", "mikrotik", "router"),
        ("Login | OPNsense", "opnsense", "firewall"),
        ("pve-api-daemon/3.0", "proxmox", "hypervisor"),
        ("SSH-2.0-OpenSSH_9.2p1 Debian-2", "", "host"),
        ("", "", "unknown"),
    ],
)
def test_a_host_is_what_it_says_that_it_is(said: str, vendor: str, kind: str) -> None:
    assert fingerprint.guess([said]) == fingerprint.Guess(vendor, kind)


def test_what_a_stranger_says_becomes_one_short_line() -> None:
    assert clean(b"a\x1b[31m\r\nb\xff" + b"x" * 999).startswith("a [31m b\ufffdxxx")
    assert len(clean(b"x" * 9999)) == 200


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"dns": "roof.example.org", "snmp:name": "roof"}, "roof.example.org"),
        ({"mdns:name": "roof.local", "snmp:name": "other"}, "roof.local"),
        ({"snmp:name": "roof"}, "roof"),
        ({"banner:25": "220 mail.example.org ESMTP Postfix"}, "mail.example.org"),
        ({"banner:23": "roof login: "}, "roof"),
        ({"banner:22": "SSH-2.0-dropbear", "http:80:title": "LuCI"}, ""),
    ],
)
def test_a_host_is_called_what_somebody_calls_it(said: dict[str, str], name: str) -> None:
    assert fingerprint.hostname(said) == name


def test_an_answer_by_snmp_is_read_whatever_its_lengths() -> None:
    long = b"x" * 200
    answer = b"".join(
        [
            snmp.NAMES["snmp"], b"\x04\x81\xc8", long,
            snmp.NAMES["snmp:name"], b"\x04\x04roof",
        ]
    )  # fmt: skip
    assert snmp.values(answer) == {"snmp": long, "snmp:name": b"roof"}
    for broken in (b"", snmp.NAMES["snmp"], snmp.NAMES["snmp"] + b"\x04", b"\x05\x00"):
        assert not any(snmp.values(broken).values())
    assert b"secret" in snmp.request("secret")


def test_who_made_an_interface_is_in_the_list_of_ieee(tmp_path: Path) -> None:
    file = tmp_path / "oui.txt"
    file.write_text("00-11-22   (hex)\t\tExample\n001122     (base 16)\t\tExample Inc.\n")
    assert manufacturer("00:11:22:33:44:55", file) == "Example Inc."
    assert manufacturer("00:11:23:33:44:55", file) == ""
    assert manufacturer("00:11:22:33:44:55", tmp_path / "none") == ""


@pytest.mark.enable_socket
def test_an_echo_is_answered_where_everybody_may_send_one(settings: Any) -> None:
    settings.MUSTER_DISCOVERY_NETWORKS = ["127.0.0.0/8"]
    try:
        assert asyncio.run(icmp("127.0.0.1", 20)) == {}
    except PermissionError:
        pytest.skip("net.ipv4.ping_group_range lets us send none")
