"""The networks that each kind of connection to the outside may go to.

A word of a list is a network, ``private`` for those of one's own (10.0.0.0/8, 172.16.0.0/12,
192.168.0.0/16, 100.64.0.0/10, fc00::/7), or ``internet`` for all public addresses. Loopback,
link-local addresses, metadata services and translated forms are refused unless a network that lies
within them is named: 0.0.0.0/0 does not open 127.0.0.1.
"""

from controller.environment import env, ipv4_pool, networks

# Networks in which devices are reached: SSH, probes, terminals.
MUSTER_DEVICE_NETWORKS: list[str] = env.list(
    "MUSTER_DEVICE_NETWORKS", ["private", "internet"], validate=networks
)
# Networks in which an address that a device claims for itself may lie, where its organization names none.
MUSTER_MANAGEMENT_NETWORKS: list[str] = env.list(
    "MUSTER_MANAGEMENT_NETWORKS", ["private"], validate=networks
)
# Networks in which gateways are reached.
MUSTER_GATEWAY_NETWORKS: list[str] = env.list(
    "MUSTER_GATEWAY_NETWORKS", ["private", "internet"], validate=networks
)
# Networks in which webhooks of VPN servers and ZeroTier controllers are called.
MUSTER_VPN_NETWORKS: list[str] = env.list(
    "MUSTER_VPN_NETWORKS", ["internet"], validate=networks
)
# Networks in which names are asked whether an ACME client speaks for them.
MUSTER_ACME_NETWORKS: list[str] = env.list(
    "MUSTER_ACME_NETWORKS", ["private", "internet"], validate=networks
)
# Networks of the servers that these settings name: the geocoder, the OpenID provider, the sysupgrade server.
MUSTER_SERVICE_NETWORKS: list[str] = env.list(
    "MUSTER_SERVICE_NETWORKS",
    ["private", "internet", "127.0.0.0/8", "::1/128"],
    validate=networks,
)
# Networks in which supervisors are called: management networks and VPNs. Loopback is for demonstrations alone.
MUSTER_SUPERVISOR_NETWORKS: list[str] = env.list(
    "MUSTER_SUPERVISOR_NETWORKS", ["private"], validate=networks
)
# Networks that scans may look at; nobody scans what is not yours.
MUSTER_DISCOVERY_NETWORKS: list[str] = env.list(
    "MUSTER_DISCOVERY_NETWORKS", ["private"], validate=networks
)
# Networks of one's own that webhooks may be sent to, also without TLS; the internet always.
MUSTER_WEBHOOK_NETWORKS: list[str] = env.list("MUSTER_WEBHOOK_NETWORKS", [], validate=networks)
# Private range from which overlay networks that ask for IPv4 get a free part.
MUSTER_OVERLAY_IPV4_POOL = ipv4_pool("10.64.0.0/11")
