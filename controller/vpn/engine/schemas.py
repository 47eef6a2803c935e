"""netjsonconfig's schemas, restricted to one tunnel without keys."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from netjsonconfig import OpenVpn, VxlanWireguard, Wireguard, ZeroTier

Schema = dict[str, Any]

# Filled in by the portal.
KNOWN_OF_ZEROTIER = (
    "name", "id", "nwid", "objtype", "routes", "revision", "creationTime", "ipAssignmentPools",
)  # fmt: skip


def openvpn() -> Schema:
    schema: Schema = deepcopy(OpenVpn.schema)
    _one(schema, "openvpn")
    schema["properties"]["openvpn"]["items"]["oneOf"] = [
        {"$ref": f"#/definitions/{kind}"}
        for kind in ("server_routed", "server_bridged", "server_manual")
    ]
    for name, kind in (
        ("ca", "tunnel"),
        ("cert", "tunnel"),
        ("key", "tunnel"),
        ("dh", "server"),
    ):
        schema["definitions"][kind]["properties"][name]["default"] = f"{name}.pem"
    # The form starts with these.
    tunnel = schema["definitions"]["tunnel"]["properties"]
    tunnel["name"]["default"], tunnel["dev"]["default"] = "server", "tun0"
    routed = schema["definitions"]["server_routed"]["allOf"][0]["properties"]
    routed["server"]["default"] = "10.8.0.0 255.255.255.0"
    return schema


def wireguard() -> Schema:
    return _without_private_key(deepcopy(Wireguard.schema))


def vxlan() -> Schema:
    schema = _without_private_key(deepcopy(VxlanWireguard.schema))
    schema["properties"]["vxlan"] |= {"minItems": 1, "maxItems": 1}
    return schema


def zerotier() -> Schema:
    schema: Schema = deepcopy(ZeroTier.schema)
    _one(schema, "zerotier")
    server = schema["definitions"]["zerotier_server"]
    for name in KNOWN_OF_ZEROTIER:
        server["properties"].pop(name, None)
    server["required"] = [one for one in server.get("required", []) if one != "name"]
    if not server["required"]:
        del server["required"]
    return schema


def _without_private_key(schema: Schema) -> Schema:
    _one(schema, "wireguard")
    item = schema["properties"]["wireguard"]["items"]
    del item["properties"]["private_key"]
    # It names a file, too.
    item["properties"]["name"]["pattern"] = r"^[^\s/]*$"
    item["properties"]["name"]["default"] = "wg0"
    item["required"] = [one for one in item["required"] if one != "private_key"]
    return schema


def _one(schema: Schema, key: str) -> None:
    schema["properties"][key] |= {"minItems": 1, "maxItems": 1}
    schema["required"] = sorted({*schema.get("required", []), key})
