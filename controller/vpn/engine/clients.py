"""Client configuration of a VPN server, and the names of its variables.

OpenWISP templates use these names, so they must not change.
"""

from __future__ import annotations

import re
from typing import Any

import netjsonconfig

from controller.vpn.engine.contract import Json

FOLDER = "/etc/x509"
OF_CERTIFICATES = (
    "ca_path",
    "ca_contents",
    "cert_path",
    "cert_contents",
    "key_path",
    "key_contents",
)
# Agents skip files with any other character in their path.
UNUSUAL = re.compile(r"[^A-Za-z0-9._-]")
OF_THE_CLIENT = ("cert_path", "cert_contents", "key_path", "key_contents")


def variable(name: str, server: str) -> str:
    """Return the name of a variable of this server (hexadecimal id)."""
    return f"{name}_{server}"


def paths(server: str, ca_id: object, ca_common_name: str) -> dict[str, str]:
    """Return the paths of CA, certificate and key on a device."""
    return {
        "ca_path": f"{FOLDER}/ca-{ca_id}-{UNUSUAL.sub('_', ca_common_name)}.pem",
        "cert_path": f"{FOLDER}/client-{server}.pem",
        "key_path": f"{FOLDER}/key-{server}.pem",
    }


def config_for(
    server: str,
    key: str,
    config: Json,
    *,
    automatic: bool = True,
    is_vxlan: bool = False,
    is_ipv6: bool = False,
    network_id: str = "",
) -> dict[str, Any]:
    """Return a device's configuration as a client of this server, using variables.

    Without `automatic` provisioning, certificate and key are set up manually.
    """

    def use(name: str) -> str:
        return f"{{{{{variable(name, server)}}}}}"

    made: dict[str, Any]
    identity = "{{secret}}"
    if key == "zerotier":
        network = {"id": network_id, "ifname": f"owzt{network_id[-6:]}"}
        made = netjsonconfig.OpenWrt.zerotier_auto_client(
            name="global", networks=[network], identity_secret=identity
        )
        return made
    tunnel, *_ = config[key]
    if key == "wireguard":
        make = netjsonconfig.OpenWrt.wireguard_auto_client
        if is_vxlan:
            make = netjsonconfig.OpenWrt.vxlan_wireguard_auto_client
        made = make(
            host=use("vpn_host"),
            server=tunnel,
            vxlan=(config.get("vxlan") or [{}])[0],
            public_key=use("public_key"),
            private_key=use("pvt_key"),
            ip_address=use("ip_address"),
            server_ip_address=use("server_ip_address"),
            server_ip_network=use("server_ip_network"),
            vni=use("vni"),
        )
        if is_ipv6:
            made["interfaces"][0]["addresses"][0] |= {"family": "ipv6", "mask": 128}
        return made
    left_out = () if automatic else OF_THE_CLIENT
    files = {name: use(name) for name in OF_CERTIFICATES if name not in left_out}
    made = netjsonconfig.OpenVpn.auto_client(host=use("vpn_host"), server=tunnel, **files)
    return made
