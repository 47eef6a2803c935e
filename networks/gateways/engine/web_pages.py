"""What pages of FreeSDN's web client read of a gateway: under which key, and what is not read.

A page asks for many things that the portal neither sets nor shows. Those are empty there.
"""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
# The key under which the page of a firewall looks for the rows of a URL.
ROWS_AT: Mapping[str, str] = {
    "firewall-rules": "rules", "nat-rules": "rules", "port-forwards": "port_forwards",
    "nat/onetoone": "onetoone_nat_rules", "vpn": "tunnels", "wireguard": "servers",
    "wireguard/handshakes": "handshakes", "openvpn": "instances",
    "openvpn/sessions": "sessions", "ipsec": "phase1", "interfaces": "interfaces",
    "vlans": "vlans", "laggs": "laggs", "virtual-ips": "virtual_ips", "vips": "virtual_ips",
    "ndp": "ndp_entries", "bridges": "bridges", "dhcp": "leases",
    "dhcp/static-mappings": "static_mappings", "kea/dhcpv4/subnets": "kea_dhcpv4_subnets",
    "kea/dhcpv4/leases": "kea_leases", "kea/dhcpv4/reservations": "kea_reservations",
    "dns/overrides": "overrides", "dns/domain-overrides": "domain_overrides",
    "dyndns": "dyndns_accounts", "aliases": "aliases", "routes/static": "routes",
    "routes/table": "routing_table", "arp": "arp_entries", "ids/alerts": "alerts",
    "ids/rulesets": "rulesets", "ids/rules": "rules", "shaper/pipes": "pipes",
    "shaper/queues": "queues", "shaper/rules": "rules", "services": "services",
    "captive-portal": "captive_portal_zones", "proxy/blacklists": "proxy_blacklists",
    "backups": "backups", "logs/system": "logs", "logs/firewall": "logs",
    "packages": "packages", "plugins": "plugins", "cron-jobs": "cron_jobs",
    "syslog": "syslog_destinations", "diagnostics/connections": "connections",
}  # fmt: skip
# Pages of firewalls that show a part of the live view.
PARTS_AT: Mapping[str, str] = {
    "interfaces": "interfaces", "dhcp": "leases", "kea/dhcpv4/leases": "leases",
    "arp": "neighbors", "logs/system": "log", "vpn": "vpn",
}  # fmt: skip
# A second table of the same page, and the URL that its words are those of.
BESIDES: Mapping[str, tuple[str, str]] = {
    "wireguard": ("peers", "wireguard/peers"), "ipsec": ("phase2", "ipsec/children"),
}  # fmt: skip
# What the pages ask for that the portal does not read: objects of firewalls, lists of others.
UNREAD_OBJECTS = frozenset({
    "acme", "certificates", "certificates/expiry", "config/diff", "crowdsec", "dhcp-relay",
    "diagnostics/pf-info", "diagnostics/pf-statistics", "dns/unbound-status",
    "firmware/changelog", "firmware/upgrade-status", "ha-status", "haproxy", "health-check",
    "ids/settings", "ids/status", "ipsec/status", "monit", "monitoring/disk-usage",
    "monitoring/temperature", "monitoring/traffic", "netflow", "proxy", "tailscale", "telegraf",
})  # fmt: skip
UNREAD_LISTS = frozenset({"logs/firewall", "routes/table", "services"})
UNREAD: Mapping[str, frozenset[str]] = {
    "mikrotik": frozenset({
        "system/services", "system/logs", "interfaces/bonding", "hotspot/active", "dns/cache",
        "vpn/ppp/active", "system/lldp",
    }),
    "openwrt": frozenset({"wireless", "leases"}),
    "unifi": frozenset({"switch/switches", "hotspot/operators", "wlan-groups/groups"}),
    "omada": frozenset(),
    "proxmox": frozenset({
        "pools", "sdn/controllers", "cluster/replication", "cluster/log", "cluster/options",
        "nodes/tasks", "nodes/certificates", "nodes/apt/updates", "nodes/services", "nodes/disks",
        "nodes/rrd", "nodes/subscription",
        "nodes/qemu/snapshots", "nodes/lxc/snapshots", "backup/age-report", "ha/groups",
        "ha/resources",
    }),
}  # fmt: skip
# Menus of RouterOS that pages read as they are. Those of which the page wants the bare list.
MENUS: Mapping[str, str] = {
    "system/packages": "system/package", "system/backup/list": "file",
    "system/neighbors": "ip/neighbor", "system/firmware/status": "system/package/update",
    "system/lldp": "ip/neighbor", "interfaces/list": "interface",
}  # fmt: skip
BARE = frozenset({
    "system/packages", "system/backup/list", "system/neighbors", "security/snmp/v3-users",
})  # fmt: skip
BARE_ITEMS = frozenset({"system/neighbors/settings", "system/firmware/status"})
BACKUP_FILES = (".backup", ".rsc")
# The client's names of what vendors and the live view name otherwise.
NAMES: Mapping[str, tuple[str, ...]] = {
    "address": ("ip", "ipaddr", "ip_address"), "mac": ("mac_address", "macaddr"),
    "hw_address": ("mac_address", "mac"), "name": ("hostname",), "text": ("message",),
    "time": ("timestamp",), "descr": ("description",), "ipaddr": ("ip_address",),
    "destination.port": ("dst_port",), "destination_port": ("dst_port",),
    "source.network": ("source",), "destination.network": ("destination",),
    "local-port": ("target_port",), "local_port": ("target_port",), "tag": ("vlan_tag",),
    "state": ("status",), "if": ("parent",), "vlanif": ("device",), "expires": ("ends",),
}  # fmt: skip


def in_client_words(row: Row) -> dict[str, Any]:
    """Return a row with the client's names beside the vendor's; names that are there stay."""
    found = dict(row)
    for name, others in NAMES.items():
        if name in row:
            for other in others:
                found.setdefault(other, row[name])
    if "disabled" in row:
        found.setdefault("enabled", str(row["disabled"]).lower() not in {"1", "true", "yes"})
    if "type" in row and str(row["type"]) in {"pass", "block", "reject"}:
        found.setdefault("action", row["type"])
    return found


def is_unread(vendor: str, area: str, what: str) -> bool:
    """Return whether a page asks for this at a URL of the vendor's, which the portal does not read."""
    return f"{area}/{what}".strip("/") in UNREAD.get(vendor, frozenset())
