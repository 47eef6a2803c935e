"""Variables of VPN servers and clients in device configurations."""

from typing import Any

from controller.vpn.engine import clients
from controller.vpn.engine.clients import variable
from controller.vpn.engine.wireguard import shared_vni
from controller.vpn.models import Vpn, VpnClient


def server_variables(vpn: Vpn) -> dict[str, str]:
    """Return the variables that are equal for all clients of a server."""
    tunnel = vpn.config[vpn.engine.key][0]
    values: dict[str, Any] = {"vpn_host": vpn.host, "public_key": vpn.public_key}
    if vpn.engine.has_keys:
        values["vpn_port"] = tunnel.get("port")
    if vpn.ca:
        values |= clients.paths(vpn.pk.hex, vpn.ca.pk, vpn.ca.common_name)
        values["ca_contents"] = vpn.ca.bundle
    if vpn.ip and vpn.subnet:
        address, network = vpn.ip.ip_address, vpn.subnet.network
        values["server_ip_address"] = address
        values["server_ip_network"] = f"{address}/{network.max_prefixlen}"
        values["vpn_subnet"] = str(network)
    if vpn.engine.has_controller and vpn.network_id:
        values["network_name"] = vpn.name
        values["network_id"] = vpn.network_id
        values["node_id"] = vpn.node_id
    return _named(values, vpn)


def client_variables(client: VpnClient) -> dict[str, str]:
    """Return the variables of one client."""
    vpn = client.vpn
    values: dict[str, Any] = {
        "pub_key": client.public_key,
        "pvt_key": client.private_key,
        "ip_address": client.ip.ip_address if client.ip else "",
    }
    if client.cert:
        values["cert_contents"] = client.cert.certificate
        values["key_contents"] = client.cert.private_key
    if vpn.engine.is_vxlan:
        values["vni"] = client.vni or shared_vni(vpn.config)
    named = _named(values, vpn)
    if client.secret:
        # Without the server's id: a device has one identity in all ZeroTier networks.
        named["secret"] = client.secret
        named["zerotier_member_id"] = client.secret.partition(":")[0]
    return named


def _named(values: dict[str, Any], vpn: Vpn) -> dict[str, str]:
    return {variable(name, vpn.pk.hex): str(value) for name, value in values.items() if value}


def client_config(vpn: Vpn, *, automatic: bool = True) -> dict[str, Any]:
    """Return the default client configuration of a VPN template."""
    return clients.config_for(
        vpn.pk.hex,
        vpn.engine.key,
        vpn.config,
        automatic=automatic,
        is_vxlan=vpn.engine.is_vxlan,
        is_ipv6=vpn.subnet is not None and vpn.subnet.network.version == 6,  # noqa: PLR2004
        network_id=vpn.network_id,
    )
