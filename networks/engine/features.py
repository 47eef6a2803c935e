"""What can be changed on gateways: one entry for each vendor's feature, and nothing else.

URLs, permissions, risks, schemas and the calls that are made follow from these entries. A
vendor is added by entries like these and by a driver that makes the calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

MASK = "***"
# The first prefix that fits says what a feature takes, at staging and at applying alike.
PERMISSIONS: Sequence[tuple[tuple[str, ...], str]] = (
    (("system.", "monitoring."), "controller:write"),
    (("vpn.",), "vpn:write"),
    (("firewall.", "opnsense.", "pfsense.", "openwrt."), "firewall:write"),
    (("firmware.",), "firmware:upgrade"),
    (("proxmox.",), "hypervisor:write"),
    (("",), "network:write"),
)
# Whoever stages or applies a catastrophic change has at least this role.
CATASTROPHIC_ROLE = "site_admin"


@dataclass(frozen=True)
class Feature:
    """One kind of thing on one vendor's gateways, and how it is read and written.

    ``path`` and ``noun`` make the calls (search, get, add, set, del); ``wrapper`` is the name
    under which the vendor wants the values. ``deed`` is a call that changes no values, such as
    a reboot. The inverse of a change follows from what was there before.
    """

    vendor: str
    key: str
    path: str
    noun: str = ""
    wrapper: str = ""
    activation: str = ""
    deed: str = ""
    operations: tuple[str, ...] = ("create", "update", "delete")
    properties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    # Other names for a property or for the feature.
    names: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    separator: str = ","
    has_savepoint: bool = False
    catastrophic: bool = False

    @property
    def area(self) -> str:
        return self.key.split(".")[1]

    @property
    def permission(self) -> str:
        return permission_of(self.key)

    @property
    def secret(self) -> frozenset[str]:
        return frozenset(n for n, one in self.properties.items() if one.get("writeOnly"))

    def schema(self, operation: str) -> dict[str, Any]:
        """JSON Schema of a payload."""
        known = dict(self.properties) if operation != "delete" else {}
        if operation != "delete":
            known |= {name: self.properties[real] for name, real in self.names.items()}
        found: dict[str, Any] = {
            "type": "object",
            "properties": known,
            "additionalProperties": False,
        }
        if operation == "update" and known:
            found["minProperties"] = 1
        return found

    def problems(self, operation: str, payload: Mapping[str, Any]) -> dict[str, list[str]]:
        """What is wrong with a payload, by the path of the field."""
        found: dict[str, list[str]] = {}
        schema = self.schema(operation)
        for error in Draft202012Validator(schema).iter_errors(payload):
            at = ["payload", *map(str, error.absolute_path)]
            if error.validator == "additionalProperties":
                for name in sorted(set(payload) - set(schema["properties"])):
                    found[".".join([*at, name])] = [f"{self.key} has no such property."]
            else:
                secret = bool(error.absolute_path) and self.is_secret(at[1])
                text = "This value does not fit." if secret else error.message[:300]
                found.setdefault(".".join(at), []).append(text)
        if operation == "create":
            given = {self.names.get(name, name) for name in payload}
            for name in self.required:
                if name not in given:
                    found[f"payload.{name}"] = ["This property is required."]
        return found

    def is_secret(self, name: str) -> bool:
        return self.names.get(name, name) in self.secret

    def values(self, payload: Mapping[str, Any]) -> dict[str, str]:
        """A payload as the vendor writes it: texts, by the vendor's own names."""
        return {
            self.names.get(name, name): as_text(value, self.separator)
            for name, value in payload.items()
        }


def as_text(value: Any, separator: str) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return separator.join(map(str, value))
    return str(value)


def permission_of(key: str) -> str:
    return next(found for prefixes, found in PERMISSIONS if key.startswith(prefixes))


def differs(wanted: Mapping[str, str], held: Mapping[str, str]) -> list[str]:
    """The names of what is wanted and not held. Lists are sets: vendors sort them anew."""
    return sorted(n for n, value in wanted.items() if _parts(value) != _parts(held.get(n, "")))


def _parts(text: str) -> list[str]:
    return sorted(part.strip() for part in text.replace("\n", ",").split(","))


TEXT = {"type": "string", "maxLength": 255}
NAME = {"type": "string", "pattern": r"^[A-Za-z0-9_]([A-Za-z0-9_ .-]{0,62}[A-Za-z0-9_.-])?$"}
FLAG = {"type": "boolean"}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
PORTS = {"type": ["string", "integer"], "pattern": r"^[A-Za-z0-9_:-]{0,64}$"}
NETWORK = {"type": "string", "pattern": r"^[0-9a-fA-F.:]+(/\d{1,3})?$", "maxLength": 49}
NETWORKS = {"type": "array", "items": NETWORK, "maxItems": 256}
ADDRESS = {"type": "string", "pattern": r"^[0-9a-fA-F.:]{2,45}$"}
MAC = {"type": "string", "pattern": r"^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$"}
KEY = {"type": "string", "pattern": r"^[A-Za-z0-9+/]{43}=$"}
SECRET_KEY = KEY | {"writeOnly": True}
WHERE = {"type": "string", "pattern": r"^!?[A-Za-z0-9_.:/-]{1,128}$"}
UUID = {"type": "string", "pattern": r"^[0-9a-f-]{36}$"}

OPNSENSE = (
    Feature(
        "opnsense", "opnsense.vpn.wireguard.server", "wireguard/server", "Server", "server",
        activation="wireguard/service/reconfigure",
        properties={
            "enabled": FLAG, "name": NAME, "port": PORT, "tunneladdress": NETWORKS,
            "mtu": {"type": "integer", "minimum": 576, "maximum": 9300}, "pubkey": KEY,
            "privkey": SECRET_KEY, "peers": {"type": "array", "items": UUID},
            "disableroutes": FLAG,
        },
        required=("name", "port"), names={"listen_port": "port"},
        aliases=("opnsense.vpn.wireguard",),
    ),
    Feature(
        "opnsense", "opnsense.vpn.wireguard.peer", "wireguard/client", "Client", "client",
        activation="wireguard/service/reconfigure",
        properties={
            "enabled": FLAG, "name": NAME, "pubkey": KEY, "psk": SECRET_KEY,
            "tunneladdress": NETWORKS, "serveraddress": TEXT, "serverport": PORT,
            "servers": {"type": "array", "items": UUID},
            "keepalive": {"type": "integer", "minimum": 0, "maximum": 86400},
        },
        required=("name", "pubkey", "tunneladdress"),
        aliases=("opnsense.vpn.wireguard.client",),
    ),
    Feature(
        "opnsense", "opnsense.firewall.alias", "firewall/alias", "Item", "alias",
        activation="firewall/alias/reconfigure", separator="\n",
        properties={
            "enabled": FLAG, "description": TEXT,
            "name": {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9_]{0,31}$"},
            "type": {"enum": ["host", "network", "port", "url", "mac", "networkgroup"]},
            "content": {"type": "array", "items": TEXT, "maxItems": 5000},
        },
        required=("name", "type"),
    ),
    Feature(
        "opnsense", "opnsense.firewall.rule", "firewall/filter", "Rule", "rule",
        activation="firewall/filter/apply", has_savepoint=True,
        properties={
            "enabled": FLAG, "description": TEXT, "log": FLAG, "quick": FLAG,
            "sequence": {"type": "integer", "minimum": 1, "maximum": 999999},
            "action": {"enum": ["pass", "block", "reject"]}, "direction": {"enum": ["in", "out"]},
            "interface": WHERE, "ipprotocol": {"enum": ["inet", "inet6", "inet46"]},
            "protocol": WHERE, "source_net": WHERE, "source_port": PORTS, "source_not": FLAG,
            "destination_net": WHERE, "destination_port": PORTS, "destination_not": FLAG,
            "gateway": WHERE,
        },
        required=("action", "interface"),
    ),
    Feature(
        "opnsense", "opnsense.routing.static_route", "routes/routes", "route", "route",
        activation="routes/routes/reconfigure",
        properties={"network": NETWORK, "gateway": WHERE, "descr": TEXT, "disabled": FLAG},
        required=("network", "gateway"), names={"description": "descr"},
        aliases=("opnsense.routing.route",),
    ),
    Feature(
        "opnsense", "opnsense.dhcp.reservation", "kea/dhcpv4", "Reservation", "reservation",
        activation="kea/service/reconfigure",
        properties={
            "subnet": UUID, "ip_address": ADDRESS, "hw_address": MAC, "hostname": NAME,
            "description": TEXT,
        },
        required=("subnet", "ip_address", "hw_address"),
        aliases=("opnsense.dhcp.static_mapping",),
    ),
    Feature(
        "opnsense", "opnsense.dns.host_override", "unbound/settings", "HostOverride", "host",
        activation="unbound/service/reconfigure",
        properties={
            "enabled": FLAG, "hostname": NAME | {"pattern": r"^(\*|[A-Za-z0-9_.-]{0,63})$"},
            "domain": {"type": "string", "pattern": r"^[A-Za-z0-9_.-]{1,253}$"},
            "rr": {"enum": ["A", "AAAA", "MX", "TXT"]}, "server": ADDRESS, "description": TEXT,
        },
        required=("domain", "server"),
    ),
    Feature(
        "opnsense", "opnsense.interfaces.vlan", "interfaces/vlan_settings", "Item", "vlan",
        activation="interfaces/vlan_settings/reconfigure",
        properties={
            "if": WHERE, "tag": {"type": "integer", "minimum": 1, "maximum": 4094},
            "pcp": {"type": "integer", "minimum": 0, "maximum": 7}, "descr": TEXT,
            "vlanif": {"type": "string", "pattern": r"^[a-z0-9_.]{1,15}$"},
        },
        required=("if", "tag"), names={"description": "descr"},
    ),
    Feature(
        "opnsense", "opnsense.system.reboot", "core/system", deed="core/system/reboot",
        operations=("create",), catastrophic=True,
    ),
)  # fmt: skip
FEATURES: Mapping[str, Feature] = {
    name: one for one in OPNSENSE for name in (one.key, *one.aliases)
}
VENDORS: tuple[str, ...] = tuple(dict.fromkeys(one.vendor for one in OPNSENSE))
AREAS: tuple[str, ...] = tuple(dict.fromkeys(one.area for one in OPNSENSE))
