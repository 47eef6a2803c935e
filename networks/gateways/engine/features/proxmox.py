"""Features of Proxmox VE: guests, nodes and the cluster, by API path.

``{node}`` and ``{vmid}`` in a path are properties, and the first parts of an id, as in
``pve:100``. For an action that runs as a task, ``noun`` is the task's type.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from networks.gateways.engine.features.feature import Feature
from networks.gateways.engine.features.schemas import (
    ADDRESS,
    CIDR,
    FLAG,
    HOST,
    INTERFACE,
    LINES,
    MTU,
    NAME,
    NETWORK,
    PORTS,
    TEXT,
    VLAN,
    WHERE,
    WORD,
    Schema,
    number,
    one_of,
)

Kind = partial(Feature, "proxmox")
Settings = partial(Kind, operations=("update",))
Fixed = partial(Kind, operations=("create", "delete"))
VMID = number(100, 999_999_999)
GUEST = {"node": WORD, "vmid": VMID}
HERE = {"node": "pve", "vmid": 100}
CONTAINER = {"node": "pve", "vmid": 200}
VM, LXC = "nodes/{node}/qemu/{vmid}", "nodes/{node}/lxc/{vmid}"
RULE = {
    "enable": number(0, 1), "type": one_of("in", "out", "group"), "comment": TEXT,
    "action": WORD, "macro": WORD, "iface": INTERFACE, "source": WHERE, "dest": WHERE,
    "proto": WORD, "dport": PORTS, "sport": PORTS, "log": WORD,
}  # fmt: skip
POLICY = one_of("ACCEPT", "REJECT", "DROP")
# Rules have no ids: they are named by what they hold, so that they are moved and not changed.
Rule = partial(
    Kind, is_ordered=True, begins="first", final=("action", "DROP", "REJECT"),
    given_once=tuple(RULE), change={"position": "first"},
)  # fmt: skip


def guest(
    key: str,
    deed: str,
    task: str,
    also: Mapping[str, Schema] | None = None,
    given: Mapping[str, Any] | None = None,
    *,
    catastrophic: bool = False,
) -> Feature:
    """Return an action on one guest. Parameters in the example are required."""
    example = {**(CONTAINER if key.startswith("container.") else HERE), **(given or {})}
    return Feature(
        "proxmox", f"proxmox.{key}", noun=task, action=deed, operations=("create",),
        properties={**GUEST, **(also or {})}, required=tuple(example), example=example,
        catastrophic=catastrophic,
    )  # fmt: skip


SNAPSHOT = {"snapname": WORD}
PROXMOX = (
    Rule(
        "proxmox.firewall.cluster_rule", "cluster/firewall/rules", properties=RULE,
        required=("type", "action"), chain=("type",),
        example={"type": "in", "action": "ACCEPT", "proto": "tcp", "dport": 8006, "enable": 1},
    ),
    Rule(
        "proxmox.firewall.guest_rule", f"{VM}/firewall/rules", properties={**GUEST, **RULE},
        required=("node", "vmid", "type", "action"), chain=("type", *GUEST),
        example={**HERE, "type": "in", "action": "DROP", "proto": "tcp", "dport": 23},
    ),
    Kind(
        "proxmox.firewall.alias", "cluster/firewall/aliases", identity=("name",),
        properties={"name": WORD, "cidr": NETWORK, "comment": TEXT},
        required=("name", "cidr"), example={"name": "office", "cidr": "192.168.1.0/24"},
        change={"cidr": "192.168.2.0/24"},
    ),
    Fixed(
        "proxmox.firewall.ipset", "cluster/firewall/ipset", identity=("name",),
        properties={"name": WORD, "comment": TEXT}, required=("name",),
        example={"name": "admins", "comment": "Who may sign in"},
    ),
    Settings(
        "proxmox.cluster.firewall_options", "cluster/firewall/options",
        properties={"enable": number(0, 1), "policy_in": POLICY, "policy_out": POLICY},
        change={"policy_in": "DROP"},
    ),
    Settings(
        "proxmox.firewall.guest_options", f"{VM}/firewall/options",
        properties={"enable": FLAG, "policy_in": POLICY, "policy_out": POLICY, "dhcp": FLAG,
                    "macfilter": FLAG, "ipfilter": FLAG},
        change={"enable": True, "policy_in": "DROP"},
    ),
    Settings(
        "proxmox.vm.config", f"{VM}/config",
        properties={"name": HOST, "cores": number(1, 512), "memory": number(16, 16777216),
                    "description": LINES, "onboot": FLAG, "tags": {**TEXT, "compare": "words"},
                    "balloon": number(0, 16777216)},
        change={"memory": 4096, "onboot": True},
    ),
    Settings(
        "proxmox.container.config", f"{LXC}/config",
        properties={"hostname": HOST, "cores": number(1, 512), "memory": number(16, 16777216),
                    "swap": number(0, 16777216), "description": LINES, "onboot": FLAG},
        change={"memory": 1024},
    ),
    Kind(
        "proxmox.node.network", "nodes/{node}/network", identity=("iface",),
        activation="PUT nodes/{node}/network",
        properties={
            "node": WORD, "iface": INTERFACE, "cidr": CIDR, "gateway": ADDRESS, "mtu": MTU,
            "type": one_of("bridge", "vlan", "bond", "eth", "OVSBridge"), "autostart": FLAG,
            "bridge_ports": TEXT, "bridge_vlan_aware": FLAG, "vlan-id": VLAN,
            "vlan-raw-device": INTERFACE, "comments": LINES,
        },
        required=("node", "iface", "type"), aliases=("proxmox.interfaces.vlan",),
        example={"node": "pve", "iface": "vmbr1", "type": "bridge", "cidr": "192.168.9.1/24"},
        change={"type": "bridge", "cidr": "192.168.9.2/24"},
    ),
    Settings(
        "proxmox.node.dns", "nodes/{node}/dns",
        properties={"search": HOST, "dns1": ADDRESS, "dns2": ADDRESS, "dns3": ADDRESS},
        change={"search": "example.org", "dns1": "9.9.9.9"},
    ),
    Fixed(
        "proxmox.sdn.zone", "cluster/sdn/zones", identity=("zone",), activation="PUT cluster/sdn",
        properties={"zone": WORD, "type": one_of("simple", "vlan", "qinq", "vxlan", "evpn"),
                    "bridge": INTERFACE, "ipam": WORD, "mtu": MTU},
        required=("zone", "type"), example={"zone": "lab", "type": "vlan", "bridge": "vmbr0"},
    ),
    Fixed(
        "proxmox.sdn.vnet", "cluster/sdn/vnets", identity=("vnet",), activation="PUT cluster/sdn",
        properties={"vnet": WORD, "zone": WORD, "tag": number(1, 16777215), "alias": NAME,
                    "vlanaware": FLAG},
        required=("vnet", "zone"), example={"vnet": "vlan20", "zone": "lab", "tag": 20},
    ),
    Fixed(
        "proxmox.ha.resource", "cluster/ha/resources", identity=("sid",),
        properties={"sid": {"type": "string", "pattern": r"^(vm|ct):\d{3,9}$"}, "comment": TEXT,
                    "state": one_of("started", "stopped", "ignored", "disabled"),
                    "max_restart": number(0, 10), "max_relocate": number(0, 10)},
        required=("sid",), example={"sid": "vm:100", "state": "started"},
    ),
    Kind(
        "proxmox.backup.job", "cluster/backup", identity=("id",),
        properties={
            "id": WORD, "schedule": TEXT, "storage": WORD, "vmid": {**TEXT, "compare": "words"}, "enabled": FLAG,
            "mode": one_of("snapshot", "suspend", "stop"), "comment": TEXT,
            "compress": one_of("0", "gzip", "lzo", "zstd"),
        },
        required=("id", "schedule", "storage", "vmid"),
        example={"id": "nightly", "schedule": "02:30", "storage": "local", "vmid": "100,200"},
        change={"schedule": "03:30"},
    ),
    guest("vm.start", f"{VM}/status/start", "qmstart"),
    guest("vm.stop", f"{VM}/status/stop", "qmstop"),
    guest("vm.shutdown", f"{VM}/status/shutdown", "qmshutdown"),
    guest("vm.reboot", f"{VM}/status/reboot", "qmreboot"),
    guest("vm.suspend", f"{VM}/status/suspend", "qmsuspend"),
    guest("vm.resume", f"{VM}/status/resume", "qmresume"),
    guest("vm.clone", f"{VM}/clone", "qmclone", also={"newid": VMID, "name": HOST, "full": FLAG},
          given={"newid": 101}),
    guest("vm.migrate", f"{VM}/migrate", "qmigrate", also={"target": WORD, "online": FLAG},
          given={"target": "pve2"}),
    guest("vm.destroy", f"DELETE {VM}", "qmdestroy", also={"purge": FLAG}, catastrophic=True),
    guest("container.start", f"{LXC}/status/start", "vzstart"),
    guest("container.stop", f"{LXC}/status/stop", "vzstop"),
    guest("container.shutdown", f"{LXC}/status/shutdown", "vzshutdown"),
    guest("container.reboot", f"{LXC}/status/reboot", "vzreboot"),
    guest("container.destroy", f"DELETE {LXC}", "vzdestroy", catastrophic=True),
    guest("snapshot.create", f"{VM}/snapshot", "qmsnapshot",
          also={**SNAPSHOT, "description": LINES}, given={"snapname": "before"}),
    guest("snapshot.rollback", VM + "/snapshot/{snapname}/rollback", "qmrollback",
          also=SNAPSHOT, given={"snapname": "first"}, catastrophic=True),
    guest("snapshot.delete", "DELETE " + VM + "/snapshot/{snapname}", "qmdelsnapshot",
          also=SNAPSHOT, given={"snapname": "first"}, catastrophic=True),
    Feature(
        "proxmox", "proxmox.backup.run", noun="vzdump", action="nodes/{node}/vzdump",
        operations=("create",), required=("node", "vmid", "storage"),
        properties={**GUEST, "storage": WORD, "mode": one_of("snapshot", "suspend", "stop")},
        example={**HERE, "storage": "local"},
    ),
    Feature(
        "proxmox", "proxmox.node.apt_refresh", noun="aptupdate",
        action="nodes/{node}/apt/update", operations=("create",), properties={"node": WORD},
        required=("node",), example={"node": "pve"},
    ),
    Feature(
        "proxmox", "proxmox.node.reboot", action="nodes/{node}/status", operations=("create",),
        properties={"node": WORD}, required=("node",), constants={"command": "reboot"},
        catastrophic=True, example={"node": "pve"},
    ),
    Feature(
        "proxmox", "proxmox.node.shutdown", action="nodes/{node}/status", operations=("create",),
        properties={"node": WORD}, required=("node",), constants={"command": "shutdown"},
        catastrophic=True, example={"node": "pve"},
    ),
)  # fmt: skip
