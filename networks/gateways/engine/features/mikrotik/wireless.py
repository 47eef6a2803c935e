"""RouterOS: Wi-Fi of 7.13 and later, and CAPsMAN of the older wireless packages."""

from functools import partial

from networks.gateways.engine.features.mikrotik.kinds import (
    COMMENTED,
    Fixed,
    Menu,
    Settings,
)
from networks.gateways.engine.features.schemas import (
    DURATION,
    FLAG,
    MAC,
    NAME,
    PORTS,
    SECRET,
    TEXT,
    VLAN,
    WHERE,
    WHERES,
    WORD,
    number,
    one_of,
    several,
)

Wifi = partial(Menu, since="7.13", in_area="wifi")
Caps = partial(Menu, in_area="capsman")
SSID = {"type": "string", "minLength": 1, "maxLength": 32}
BANDS = one_of(
    "2ghz-ax", "2ghz-be", "2ghz-g", "2ghz-n", "5ghz-a", "5ghz-ac", "5ghz-ax", "5ghz-be"
)
POLICY = one_of("none", "require-same-version", "suggest-same-version")
MANAGER = {
    "enabled": FLAG, "certificate": WORD, "ca-certificate": WORD, "upgrade-policy": POLICY,
    "require-peer-certificate": FLAG, "package-path": TEXT,
}  # fmt: skip

WIRELESS = (
    Wifi(
        "mikrotik.wifi.configuration", "interface/wifi/configuration",
        properties={
            **COMMENTED, "name": NAME, "ssid": SSID, "country": TEXT, "hide-ssid": FLAG,
            "mode": one_of("ap", "station", "station-bridge", "station-pseudobridge"),
            "security": NAME, "datapath": NAME, "channel": NAME, "steering": NAME,
            "manager": one_of("capsman", "capsman-or-local", "local"),
            "multicast-enhance": one_of("disabled", "enabled"),
        },
        required=("name",),
        example={"name": "guests", "ssid": "Guests", "country": "Germany", "mode": "ap",
                 "security": "guests"},
        change={"hide-ssid": True, "ssid": "Visitors"},
    ),
    Wifi(
        "mikrotik.wifi.security", "interface/wifi/security",
        properties={
            **COMMENTED, "name": NAME, "passphrase": SECRET, "ft": FLAG, "ft-over-ds": FLAG,
            "authentication-types": several("wpa-psk", "wpa2-psk", "wpa2-psk-sha2", "wpa-eap", "wpa2-eap",
                                            "wpa3-psk", "owe", "wpa3-eap"),
            "management-protection": one_of("allowed", "disabled", "required"),
            "wps": one_of("disable", "push-button"),
        },
        required=("name",),
        example={"name": "guests", "authentication-types": ["wpa2-psk", "wpa3-psk"],
                 "passphrase": "correct horse"},
        change={"ft": True, "management-protection": "allowed"},
    ),
    Wifi(
        "mikrotik.wifi.datapath", "interface/wifi/datapath",
        properties={**COMMENTED, "name": NAME, "bridge": WORD, "vlan-id": VLAN,
                    "client-isolation": FLAG, "interface-list": WORD},
        required=("name",), example={"name": "guests", "bridge": "bridge", "vlan-id": 20},
        change={"client-isolation": True},
    ),
    Wifi(
        "mikrotik.wifi.channel", "interface/wifi/channel",
        properties={**COMMENTED, "name": NAME, "band": BANDS, "frequency": PORTS,
                    "width": {"type": "string", "pattern": r"^[0-9/+]{1,24}mhz$"},
                    "skip-dfs-channels": WORD},
        required=("name",), example={"name": "5ghz", "band": "5ghz-ax", "width": "20/40/80mhz"},
        change={"frequency": "5180-5320"},
    ),
    Wifi(
        "mikrotik.wifi.provisioning", "interface/wifi/provisioning", is_ordered=True,
        properties={
            **COMMENTED, "action": one_of("create-disabled", "create-dynamic-enabled",
                                          "create-enabled", "none", "use-network-config"),
            "master-configuration": NAME, "slave-configurations": {"type": "array", "items": NAME, "maxItems": 16},
            "name-format": TEXT, "radio-mac": MAC, "identity-regexp": TEXT,
            "supported-bands": BANDS,
        },
        required=("action",),
        example={"action": "create-dynamic-enabled", "master-configuration": "guests",
                 "supported-bands": "5ghz-ax"},
        change={"slave-configurations": ["staff"]},
    ),
    Wifi(
        "mikrotik.wifi.access_list", "interface/wifi/access-list", is_ordered=True,
        properties={**COMMENTED, "mac-address": MAC, "ssid-regexp": TEXT, "passphrase": SECRET,
                    "interface": WHERE, "action": one_of("accept", "query-radius", "reject"),
                    "vlan-id": VLAN},
        example={"mac-address": "02:00:00:00:00:05", "action": "reject"},
        change={"comment": "Stolen"},
    ),
    Settings(
        "mikrotik.wifi.capsman", "interface/wifi/capsman", since="7.13",
        properties={**MANAGER, "interfaces": WHERES}, change={"enabled": True, "interfaces": ["bridge"]},
    ),
    Caps(
        "mikrotik.capsman.configuration", "caps-man/configuration",
        properties={
            "comment": TEXT, "name": NAME, "ssid": SSID, "country": TEXT, "hide-ssid": FLAG,
            "mode": one_of("ap"), "security": NAME, "datapath": NAME, "channel": NAME,
            "max-sta-count": number(1, 2007),
        },
        required=("name",), example={"name": "guests", "ssid": "Guests", "security": "guests"},
        change={"ssid": "Visitors", "max-sta-count": 40},
    ),
    Caps(
        "mikrotik.capsman.datapath", "caps-man/datapath",
        properties={
            "comment": TEXT, "name": NAME, "bridge": WORD, "vlan-id": VLAN, "interface-list": WORD,
            "vlan-mode": one_of("no-tag", "use-service-tag", "use-tag"), "local-forwarding": FLAG,
            "client-to-client-forwarding": FLAG,
        },
        required=("name",), example={"name": "guests", "bridge": "bridge"},
        change={"vlan-id": 20, "vlan-mode": "use-tag"},
    ),
    Caps(
        "mikrotik.capsman.security", "caps-man/security",
        properties={
            "comment": TEXT, "name": NAME, "passphrase": SECRET, "group-key-update": DURATION,
            "authentication-types": several("wpa-psk", "wpa2-psk", "wpa-eap", "wpa2-eap"),
            "encryption": several("aes-ccm", "tkip"),
        },
        required=("name",),
        example={"name": "guests", "authentication-types": ["wpa2-psk"], "encryption": ["aes-ccm"],
                 "passphrase": "correct horse"},
        change={"group-key-update": "1h"},
    ),
    Settings(
        "mikrotik.capsman.manager", "caps-man/manager", properties=MANAGER,
        change={"enabled": True, "upgrade-policy": "suggest-same-version"},
    ),
    Caps(
        "mikrotik.capsman.access_list", "caps-man/access-list", is_ordered=True,
        properties={
            **COMMENTED, "mac-address": MAC, "mac-address-mask": MAC, "interface": WHERE,
            "ssid-regexp": TEXT, "action": one_of("accept", "query-radius", "reject"),
            "signal-range": {"type": "string", "pattern": r"^-?\d{1,3}\.\.-?\d{1,3}$"},
            "private-passphrase": SECRET, "vlan-id": VLAN,
        },
        example={"signal-range": "-120..-85", "action": "reject"}, change={"comment": "Too far away"},
    ),
    Fixed(
        "mikrotik.capsman.interface", "caps-man/interface",
        properties={**COMMENTED, "configuration": NAME, "channel": NAME, "datapath": NAME,
                    "security": NAME, "radio-name": NAME},
        change={"configuration": "guests", "comment": "Hall"},
    ),
)  # fmt: skip
