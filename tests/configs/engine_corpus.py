"""Configurations that cover every converter of netjsonconfig's OpenWrt backend."""

from __future__ import annotations

from typing import Any, NamedTuple

KEY = "QFlUVx0tnUfVzOIpeHXbTTYUlx2VSUaoSxbG4HKzKWM="


class Case(NamedTuple):
    config: dict[str, Any]
    templates: tuple[dict[str, Any], ...] = ()
    context: dict[str, Any] = {}
    backend: str = "netjsonconfig.OpenWrt"


def _static(address: str, mask: int = 24, **more: Any) -> dict[str, Any]:
    family = "ipv6" if ":" in address else "ipv4"
    return {"proto": "static", "family": family, "address": address, "mask": mask, **more}


def _dhcp(family: str = "ipv4") -> dict[str, Any]:
    return {"proto": "dhcp", "family": family}


def _interfaces(*interfaces: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"interfaces": list(interfaces), **more}


def _wifi(encryption: dict[str, Any] | None = None, **wireless: Any) -> dict[str, Any]:
    settings = {"radio": "radio0", "mode": "access_point", "ssid": "home", **wireless}
    if encryption is not None:
        settings["encryption"] = encryption
    return {"name": "wlan0", "type": "wireless", "wireless": settings}


def _radio(**more: Any) -> dict[str, Any]:
    return {
        "name": "radio0", "phy": "phy0", "driver": "mac80211", "protocol": "802.11ac",
        "channel": 36, "channel_width": 80, "tx_power": 10, "country": "IT", **more,
    }  # fmt: skip


LAN = {
    "name": "br-lan", "network": "lan", "type": "bridge", "bridge_members": ["eth0", "wlan0"],
    "addresses": [_static("192.168.{{ subnet }}.1")],
}  # fmt: skip
WAN = {"name": "eth1", "network": "wan", "type": "ethernet", "addresses": [_dhcp()]}
MANAGEMENT = {"type": "8021q", "name": "eth1", "vid": 10, "addresses": [_static("10.0.10.2")]}

RADIOS = {
    "radios": [
        _radio(band="5g"),
        _radio(
            name="radio1",
            phy="phy1",
            protocol="802.11n",
            channel=6,
            channel_width=20,
            band="2g",
        ),
    ],
    "interfaces": [
        _wifi({"protocol": "wpa2_personal", "key": "{{ wifi_key }}", "cipher": "ccmp"}),
        {
            "name": "wlan1",
            "type": "wireless",
            "wireless": {"radio": "radio1", "mode": "access_point", "ssid": "{{ ssid }} guest"},
        },
    ],
}
SYSTEM = {
    "general": {"timezone": "Europe/Rome", "maintainer": "{{ contact }}"},
    "ntp": {"enabled": True, "enable_server": False, "server": ["0.pool.ntp.org", "{{ ntp }}"]},
    "dns_servers": ["8.8.8.8", "1.1.1.1"],
    "dns_search": ["{{ domain }}"],
    "files": [
        {"path": "/etc/banner", "mode": "0644", "contents": "Welcome to {{ name }}\n"},
        {
            "path": "/etc/rc.d/run.sh",
            "mode": "0755",
            "contents": "#!/bin/sh\nlogger {{ id }}\n",
        },
    ],
}
CONTEXT = {
    "subnet": "7", "wifi_key": "correct-horse", "ssid": "Cafe", "contact": "ops@example.org",
    "ntp": "ntp.example.org", "domain": "lan.example.net", "name": "ap-7", "id": "0" * 31 + "7",
    "unused": "x",
}  # fmt: skip

REALISTIC = Case(
    {
        "general": {"hostname": "{{ name }}"},
        **_interfaces(LAN, WAN, MANAGEMENT),
        "routes": [
            {"device": "eth1", "destination": "10.9.0.0/16", "next": "10.0.10.1", "cost": 0}
        ],
    },
    (RADIOS, SYSTEM),
    CONTEXT,
)

OPENVPN_CLIENT = {
    "name": "office-vpn", "mode": "p2p", "proto": "udp", "dev": "tun0", "dev_type": "tun",
    "tls_client": True, "resolv_retry": "infinite", "ca": "/etc/x509/ca.pem",
    "cert": "/etc/x509/cert.pem", "key": "/etc/x509/key.pem", "cipher": "AES-256-GCM",
    "comp_lzo": "adaptive", "nobind": True, "persist_key": True, "persist_tun": True,
    "remote": [{"host": "vpn.example.org", "port": 1194}], "verb": 3, "fragment": 0,
    "tls_cipher": "TLS-A:TLS-B", "log": "/tmp/vpn.log",
}  # fmt: skip
WIREGUARD = _interfaces(
    {
        "name": "wg0", "type": "wireguard", "private_key": KEY, "port": 51820, "mtu": 1420,
        "nohostroute": False, "fwmark": "", "ip6prefix": [], "network": "",
        "addresses": [_static("10.0.0.5", 32)],
    },
    wireguard_peers=[
        {
            "interface": "wg0", "public_key": KEY, "allowed_ips": ["10.0.0.0/24", "fd00::/64"],
            "endpoint_host": "wg.example.org", "endpoint_port": 51820, "preshared_key": "",
            "persistent_keepalive": 60, "route_allowed_ips": True,
        },
        {"interface": "wg0", "public_key": KEY, "allowed_ips": ["10.1.0.1/32"]},
    ],
)  # fmt: skip
VXLAN = {
    "name": "vxlan1", "type": "vxlan", "vtep": "10.0.0.1", "port": 4789, "vni": 100,
    "tunlink": "wg0", "rxcsum": True, "txcsum": True, "mtu": 1280, "ttl": 64, "mac": "",
    "disabled": False, "network": "",
}  # fmt: skip
ZEROTIER = {
    "zerotier": [
        {
            "name": "global", "networks": [{"id": "9536600adf654321", "ifname": "owzt654321"}],
            "secret": "{{secret}}", "disabled": False, "port": 9993,
        }
    ]
}  # fmt: skip
VLAN_FILTERING = {
    "type": "bridge", "name": "br-trunk", "bridge_members": ["lan1", "lan2", "lan3"],
    "vlan_filtering": [
        {
            "vlan": 1,
            "ports": [
                {"ifname": "lan1", "tagging": "t", "primary_vid": True},
                {"ifname": "lan2", "tagging": "u"},
            ],
        },
        {"vlan": 2, "ports": [{"ifname": "lan1", "tagging": "t"}]},
    ],
}  # fmt: skip
DIALUP = {
    "type": "dialup", "name": "dsl0", "network": "xdsl", "proto": "pppoe",
    "username": "jon@example.org", "password": "jonspw",
}  # fmt: skip
MODEM = {
    "type": "modem-manager", "name": "wwan0", "device": "/sys/devices/platform/usb1",
    "apn": "apn.operator.com", "pin": "1234", "username": "u", "password": "p", "metric": 50,
    "lowpower": False, "mtu": 1500, "signalrate": 5,
}  # fmt: skip

ENCRYPTIONS: list[dict[str, Any]] = [
    {"protocol": "none"},
    {"protocol": "wep_open", "key": "wepkey1234567"},
    {"protocol": "wep_shared", "key": "wepkey1234567"},
    {"protocol": "wpa_personal", "key": "12345678", "cipher": "auto"},
    {"protocol": "wpa2_personal", "key": "a b  c   d", "ieee80211w": "1", "cipher": "tkip+ccmp"},
    {"protocol": "wpa3_personal", "key": "12345678", "ieee80211w": "2", "cipher": "ccmp"},
    {"protocol": "wpa_personal_mixed", "key": "12345678", "cipher": "tkip"},
    {"protocol": "wpa2_personal_mixed", "key": "12345678", "cipher": "ccmp", "ieee80211w": "1"},
    {"protocol": "wpa2_enterprise", "key": "radius", "server": "192.168.0.1", "port": 1812,
     "acct_server": "192.168.0.2", "acct_server_port": 1813, "cipher": "auto"},
    {"protocol": "wpa3_enterprise", "key": "radius", "server": "192.168.0.1", "cipher": "ccmp",
     "ieee80211w": "2"},
    {"protocol": "wpa_personal", "key": "12345678", "cipher": "auto", "disabled": True},
]  # fmt: skip

INTERFACES: list[dict[str, Any]] = [
    _interfaces({"name": "lo", "type": "loopback", "addresses": [_static("127.0.0.1", 8)]}),
    _interfaces({"name": "eth0", "type": "ethernet"}),
    _interfaces({"name": "eth0", "type": "ethernet", "disabled": True, "autostart": False}),
    _interfaces({"name": "eth0", "type": "ethernet", "mac": "de:ad:be:ef:00:01", "mtu": 1400}),
    _interfaces(
        {"name": "eth0", "type": "ethernet",
         "addresses": [_static("10.0.0.2", gateway="10.0.0.1"), _static("10.1.0.2"),
                       _static("fd87::1", 128, gateway="fd87::2"), _dhcp(), _dhcp("ipv6")]},
        dns_servers=["10.11.12.13", "8.8.8.8"], dns_search=["example.org", "netjson.org"],
    ),
    _interfaces({"name": "eth0.1", "type": "ethernet", "addresses": [_static("10.0.0.2")]}),
    _interfaces({"name": "eth-0", "type": "virtual", "addresses": [_static("10.0.0.2")]}),
    _interfaces(LAN | {"addresses": []}),
    _interfaces(LAN | {"addresses": [_static("10.0.0.1"), _static("10.0.1.1")], "stp": True,
                       "igmp_snooping": True, "hello_time": 2, "mtu": 1500,
                       "mac": "de:ad:be:ef:00:01", "robustness": 3}),
    _interfaces({"name": "br-empty", "type": "bridge", "bridge_members": []}),
    _interfaces(VLAN_FILTERING),
    _interfaces(VLAN_FILTERING, {"type": "ethernet", "name": "br-trunk.2",
                                 "addresses": [_dhcp()]}),
    _interfaces(MANAGEMENT, MANAGEMENT | {"vid": 11, "ingress_qos_mapping": ["0:1"],
                                          "egress_qos_mapping": ["1:0"]}),
    _interfaces(MANAGEMENT | {"type": "8021ad", "network": "dotted_name"}),
    _interfaces(DIALUP),
    _interfaces(DIALUP | {"proto": "ppp", "mtu": 1448, "keepalive": "3", "ipv6": "1"}),
    _interfaces(MODEM),
    WIREGUARD,
    WIREGUARD | {"interfaces": [*WIREGUARD["interfaces"], VXLAN]},
    _interfaces(WAN | {"macaddr": "", "custom": ["a", "b"], "flag": True, "off": False}),
]  # fmt: skip

SECTIONS: list[dict[str, Any]] = [
    {},
    {"general": {}},
    {"general": {"hostname": "r.example-1.org", "timezone": "Etc/GMT-12"}},
    {"general": {"hostname": "test", "ula_prefix": "fd8e:f40a:6701::/48", "globals_id": "g",
                 "id": "s", "custom_setting": True}},
    {"ntp": {"enabled": False}},
    {"ntp": {"enabled": True, "enable_server": True, "server": ["a.org", "b.org"]}},
    {"led": [{"name": "USB1", "sysfs": "tp-link:green:usb1", "trigger": "usbdev", "dev": "1-1",
              "interval": 50},
             {"name": "WLAN", "sysfs": "x", "trigger": "netdev", "dev": "wlan0",
              "mode": "link tx rx", "default": True}]},
    {"routes": [{"device": "eth0", "destination": "192.168.3.1/24", "next": "192.168.2.1",
                 "cost": 2, "source": "192.168.1.10", "table": "2", "onlink": True, "mtu": "1450",
                 "type": "unicast"},
                {"device": "eth1", "destination": "fd89::1/128", "next": "fd88::1", "cost": 0}]},
    {"ip_rules": [{"in": "eth0", "out": "eth1", "src": "192.168.1.0/24", "dest": "10.0.0.0/8",
                   "tos": 2, "mark": "0x0/0x1", "invert": True, "lookup": "0",
                   "action": "blackhole"},
                  {"src": "fd00::/64", "goto": 35}]},
    {"switch": [{"name": "switch0", "reset": True, "enable_vlan": True,
                 "vlan": [{"device": "switch0", "vlan": 1, "vid": 110, "ports": "0t 2 3"},
                          {"device": "switch0", "vlan": 2, "ports": "0t 1"}]}]},
    {"radios": [_radio()]},
    {"radios": [_radio(protocol="802.11n", band="2g", channel=0, channel_width=20),
                _radio(name="radio1", protocol="802.11g", channel=3, channel_width=20,
                       hwmode="11g", diversity=True, country_ie=True)]},
    {"radios": [_radio(protocol="802.11ax", band="5g", channel=44, channel_width=80, htmode="x",
                       disabled=True)]},
    {"radios": [_radio(protocol="802.11n", channel=36, channel_width=40)]},
    {"openvpn": [OPENVPN_CLIENT]},
    {"openvpn": [OPENVPN_CLIENT | {"name": "tap-1", "dev": "tap0", "dev_type": "tap",
                                   "up": "/etc/up.sh", "down": "/etc/down.sh",
                                   "disabled": True}]},
    ZEROTIER,
    ZEROTIER | {"files": [{"path": "/etc/openwisp/zerotier/devicemap", "mode": "0644",
                           "contents": "mine"}]},
    {"firewall": [{"config_name": "zone", "config_value": "lan", "name": "lan",
                   "network": ["lan", "wan"], "input": "ACCEPT"},
                  {"config_name": "rule", "name": "Allow-Ping", "limit": 10, "empty": "",
                   "nothing": None, "float": 1.5, "zero": 0, "map": {"a": 1}},
                  "skipped", {"skipped": True}, {"config_name": "bridge-vlan", "on": True}]},
    {"my-package": [{"config_name": "a", "config_value": "dot.ted-name", "x": "a   b"}]},
    {"network": [{"config_name": "interface", "config_value": "lan", "proto": "dhcp"}],
     "interfaces": [LAN]},
    {"unknown": {"skipped": 1}, "type": "DeviceConfiguration", "alone": 5},
    {"files": []},
    {"files": [{"path": "/etc/a", "mode": "0644", "contents": "one"},
               {"path": "/etc/a", "mode": "0600", "contents": "two"},
               {"path": "etc/b.d/c-d_e", "mode": "755", "contents": ""}]},
    {"files": [{"path": "/" + "/".join(["directory"] * 14) + "/f", "mode": "0600",
                "contents": "x" * 600}]},
    {"files": [{"path": "/" + "n" * 101, "mode": "0600", "contents": "x"}]},
    {"files": [{"path": f"/root/f{n}", "mode": "0644", "contents": "y" * n * 173}
               for n in range(40)]},
]  # fmt: skip

WIRELESS: list[dict[str, Any]] = [
    *(_interfaces(_wifi(encryption), LAN) for encryption in ENCRYPTIONS),
    _interfaces(_wifi(None, mode="station", bssid="00:26:b9:20:5f:09")),
    _interfaces(
        _wifi(
            {"protocol": "wpa2_enterprise", "cipher": "auto", "eap_type": "tls", "auth": "PAP",
             "identity": "u", "client_cert": "c", "priv_key": "k", "priv_key_pwd": "p"},
            mode="station",
        )
    ),
    _interfaces(_wifi(None, mode="adhoc", bssid="00:11:22:33:44:55")),
    _interfaces({"name": "mesh0", "type": "wireless",
                 "wireless": {"radio": "radio0", "mode": "802.11s", "mesh_id": "mesh",
                              "network": ["lan", "wan.1"]}}),
    _interfaces({"name": "mon0", "type": "wireless",
                 "wireless": {"radio": "radio0", "mode": "monitor"}}),
    _interfaces(_wifi(None, hidden=True, wds=True, wmm=True, isolate=True, ack_distance=300,
                      rts_threshold=1300, frag_threshold=1500, macfilter="deny",
                      maclist=["E8:94:F6:33:8C:1D"])),
    _interfaces(_wifi({"protocol": "wpa2_personal", "key": "12345678"}, ieee80211r=True,
                      ft_over_ds=True, reassociation_deadline=2000, rsn_preauth=True)),
    _interfaces(_wifi(None) | {"mac": "de:ad:be:ef:00:01", "disabled": True,
                               "addresses": [_static("10.0.0.1")]}, *RADIOS["interfaces"][1:]),
]  # fmt: skip

MERGED: list[Case] = [
    REALISTIC,
    Case({}, (RADIOS, SYSTEM), CONTEXT),
    Case({}, (RADIOS, RADIOS, SYSTEM, SYSTEM), CONTEXT),
    Case(_interfaces(LAN), (_interfaces(LAN | {"mtu": 1400}), _interfaces(WAN, MANAGEMENT)), CONTEXT),
    Case(_interfaces(MANAGEMENT), (_interfaces(MANAGEMENT | {"vid": 11}, MANAGEMENT),)),
    Case({"files": SYSTEM["files"]}, (SYSTEM, {"files": [SYSTEM["files"][0]]}), CONTEXT),
    Case({"a": [{"config_name": "a", "config_value": "1", "l": [1, 2]}]},
         ({"a": [{"config_name": "a", "config_value": "1", "l": [2, 3], "m": {"n": 1}}]},)),
    Case({"a": [{"config_name": "{{ n }}", "x": "{{ a }}-{{b}}-{{ a }}", "y": "{{none}} {{}}"}]},
         context={"n": "t", "a": "{{ b }}", "b": "\\\\d\\n", "none_": ""}),
    Case({"a": [{"config_name": "t", "x": "{{ a }}", "y": "{{ n }}", "z": "{{b}}"}]},
         context={"a": "", "n": 5, "b": "yes"}),
    Case({"a": [{"config_name": "t", "x": "it'\\''s"}]}),
]  # fmt: skip

_TC = {"tc_options": [{"name": "eth0", "input_bandwidth": 2048, "output_bandwidth": 1024},
                      {"name": "eth1"}]}  # fmt: skip
LEGACY: list[Case] = [
    Case({"general": {"hostname": "old"}, **config}, backend="netjsonconfig.OpenWisp")
    for config in (
        {},
        _TC,
        {"radios": [_radio()]},
        _interfaces(LAN | {"addresses": [_static("10.0.0.1")]}, WAN),
        {"openvpn": [OPENVPN_CLIENT]},
        {"openvpn": [OPENVPN_CLIENT | {"dev_type": "tap", "dev": "tap0", "up": "/etc/up.sh",
                                       "down": "/etc/down.sh", "comp_lzo": "yes"}]},
        {"files": [{"path": "/crontabs/root", "mode": "0644", "contents": "* * * * * true\n"},
                   {"path": "/install.sh", "mode": "0755", "contents": "mine"}]},
        RADIOS,
    )
]  # fmt: skip

ACCEPTED: list[Case] = [
    *(Case(config, context=CONTEXT) for config in (*INTERFACES, *SECTIONS, *WIRELESS)),
    *(Case(config, (RADIOS, SYSTEM), CONTEXT) for config in (*INTERFACES, *WIRELESS)),
    *MERGED,
    *LEGACY,
]

REJECTED: list[Case] = [
    Case(config)
    for config in (
        _interfaces({"name": "eth0"}),
        _interfaces({"name": "e", "type": "ethernet"}),
        _interfaces({"name": "eth0", "type": "ethernet", "addresses": [_static("1.2.3.4.5")]}),
        _interfaces({"name": "eth0", "type": "ethernet", "mtu": 1.5}),
        _interfaces({"name": "eth0", "type": "ethernet", "mtu": True}),
        {"interfaces": {}},
        {"general": {"hostname": "-bad"}},
        {"general": {"hostname": "a" * 64}},
        {"general": {"timezone": "Mars/Base"}},
        {"radios": [_radio(protocol="802.11n", channel=0)]},
        {"radios": [_radio(country="XX")]},
        {"routes": [{"device": "eth0", "destination": "10.0.0.0/8"}]},
        {"ip_rules": [{"src": "not a network"}]},
        {"files": [{"path": "/etc/a", "mode": "999", "contents": "x"}]},
        {"files": [{"path": "/etc/../passwd", "mode": "0644", "contents": "x"}]},
        {"files": [{"path": "/etc//passwd", "mode": "0644", "contents": "x"}]},
        {"files": [{"path": "/etc/a b", "mode": "0644", "contents": "x"}]},
        {"files": [{"path": "/etc/key@1.pem", "mode": "0644", "contents": "x"}]},
        {"files": [{"path": "/etc/a", "mode": "0644"}]},
        _interfaces(
            VLAN_FILTERING
            | {
                "vlan_filtering": [
                    {"vlan": n, "ports": [{"ifname": "a", "tagging": "t", "primary_vid": True}]}
                    for n in (1, 2)
                ]
            }
        ),
    )
]
