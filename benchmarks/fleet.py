"""The fleet used for both systems: one network per device, two templates."""

from __future__ import annotations

from typing import Any

TEMPLATES: dict[str, dict[str, Any]] = {
    "system-base": {
        "general": {"timezone": "Europe/Rome", "maintainer": "noc@example.org"},
        "ntp": {"enabled": True, "server": ["0.openwrt.pool.ntp.org", "1.openwrt.pool.ntp.org"]},
        "dns_servers": ["9.9.9.9"],
        "files": [
            {"path": "etc/crontabs/root", "mode": "0644", "contents": "0 4 * * * reboot {{id}}\n"},
            {"path": "etc/banner", "mode": "0644", "contents": "{{ name }}\n"},
        ],
    },
    "wifi": {
        "radios": [
            {"name": f"radio{n}", "phy": f"phy{n}", "driver": "mac80211", "protocol": protocol,
             "channel": channel, "channel_width": 20, "country": "IT"}
            for n, (protocol, channel) in enumerate([("802.11n", 11), ("802.11ac", 36)])
        ],
        "interfaces": [
            {"name": f"wlan{n}", "type": "wireless", "wireless": {
                "radio": f"radio{n}", "mode": "access_point", "ssid": "{{ ssid }}",
                "encryption": {"protocol": "wpa2_personal", "key": "a long password"}}}
            for n in range(2)
        ],
    },
}  # fmt: skip


def network(number: int) -> dict[str, Any]:
    return {
        "interfaces": [
            {"name": "eth0", "type": "ethernet"},
            {"name": "br_lan", "type": "bridge", "bridge_members": ["eth0"], "addresses": [
                {"proto": "static", "family": "ipv4", "mask": 24,
                 "address": f"10.{number >> 8 & 255}.{number & 255}.1"}]},
            {"name": "eth1", "type": "ethernet",
             "addresses": [{"proto": "dhcp", "family": "ipv4"}]},
        ],
        "routes": [{"device": "br_lan", "destination": "192.168.9.0/24",
                    "next": "10.0.0.254", "cost": 0, "source": ""}],
    }  # fmt: skip


def mac(number: int) -> str:
    return f"02:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def address(number: int) -> str:
    """Return the address from which the device polls."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
