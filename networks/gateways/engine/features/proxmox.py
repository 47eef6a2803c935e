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
    FILE,
    FLAG,
    HOST,
    INTERFACE,
    LINES,
    MTU,
    NAME,
    NETWORK,
    PORTS,
    SECRET,
    TEXT,
    VLAN,
    WEB_ADDRESS,
    WHERE,
    WORD,
    Schema,
    number,
    one_of,
)

Kind = partial(Feature, "proxmox")
Settings = partial(Kind, operations=("update",))
Fixed = partial(Kind, operations=("create", "delete"))
PEM = {"type": "string", "pattern": r"^-----BEGIN [A-Z0-9 ]+-----", "maxLength": 65536}
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
    **how: Any,
) -> Feature:
    """Return an action on one guest. Parameters in the example are required."""
    example = {**(CONTAINER if key.startswith("container.") else HERE), **(given or {})}
    return Feature(
        "proxmox", f"proxmox.{key}", noun=task, action=deed, operations=("create",),
        properties={**GUEST, **(also or {})}, required=tuple(example), example=example,
        catastrophic=catastrophic, **how,
    )  # fmt: skip


VOLUME = {"type": "string", "pattern": r"^[A-Za-z0-9_.-]+:[A-Za-z0-9_./+-]{1,200}$"}
DISK = {
    "type": "string",
    "pattern": r"^(rootfs|efidisk0|tpmstate0|(ide|sata|scsi|virtio|mp)\d{1,3})$",
}
SIZE = {"type": "string", "pattern": r"^\+?\d{1,9}(\.\d{1,3})?[KMGT]?$"}
REMOTE = {
    # It holds the other cluster's token.
    "target-endpoint": {"type": "string", "maxLength": 1024, "writeOnly": True},
    "target-storage": TEXT, "target-bridge": TEXT, "target-vmid": VMID, "online": FLAG, "delete": FLAG,
}  # fmt: skip
FAR = {
    "target-endpoint": "host=192.0.2.9,apitoken=PVEAPIToken=a@pve!b=secret",
    "target-storage": "local-lvm", "target-bridge": "vmbr0",
}  # fmt: skip
# A new guest. Disks and networks are Proxmox's texts: local-lvm:32, virtio,bridge=vmbr0.
NEW = {
    "cores": number(1, 512), "memory": number(16, 16777216), "description": LINES, "onboot": FLAG,
    "tags": TEXT, "pool": WORD, "start": FLAG, "nameserver": TEXT, "searchdomain": HOST,
    **{f"net{n}": TEXT for n in range(4)},
}  # fmt: skip
MACHINE = {
    **NEW, "name": HOST, "sockets": number(1, 16), "cpu": TEXT, "ostype": WORD, "scsihw": WORD,
    "bios": one_of("seabios", "ovmf"), "machine": WORD, "agent": TEXT, "boot": TEXT,
    **{f"{bus}{n}": TEXT for bus in ("scsi", "virtio", "sata", "ide") for n in range(3)},
    "efidisk0": TEXT, "vga": TEXT, "serial0": TEXT, "ciuser": WORD, "cipassword": SECRET,
    "ipconfig0": TEXT,
}  # fmt: skip
BOX = {
    **NEW, "ostemplate": VOLUME, "hostname": HOST, "swap": number(0, 16777216), "rootfs": TEXT,
    "storage": WORD, "unprivileged": FLAG, "features": TEXT, "password": SECRET, "mp0": TEXT,
    "mp1": TEXT,
}  # fmt: skip
SNAPSHOT = {"snapname": WORD}
AT_NODE = {"node": "pve"}


def at(
    key: str, deed: str, task: str = "", *, catastrophic: bool = False, **how: Any
) -> Feature:
    """Return an action on a node or the cluster. Parameters in the example are required."""
    example = how.setdefault("example", {})
    return Feature(
        "proxmox", f"proxmox.{key}", noun=task, action=deed, operations=("create",),
        required=tuple(example), catastrophic=catastrophic, **how,
    )  # fmt: skip


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
        "proxmox.vm.cloudinit", f"{VM}/config", catastrophic=True,
        # The keys are URL-encoded, as Proxmox takes and tells them.
        properties={
            "ciuser": WORD, "cipassword": SECRET, "ciupgrade": FLAG, "nameserver": TEXT,
            "citype": one_of("configdrive2", "nocloud", "opennebula"), "searchdomain": HOST,
            "sshkeys": {"type": "string", "pattern": r"^[A-Za-z0-9%._~+-]*$"},
            **{f"ipconfig{n}": {**TEXT, "compare": "words"} for n in range(4)},
        },
        change={"ciuser": "admin", "ipconfig0": "ip=192.0.2.7/24,gw=192.0.2.1"},
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
    Fixed(
        "proxmox.ha.group", "cluster/ha/groups", identity=("group",),
        properties={"group": WORD, "nodes": {**TEXT, "compare": "words"}, "comment": TEXT,
                    "restricted": FLAG, "nofailback": FLAG},
        required=("group", "nodes"), example={"group": "first", "nodes": "pve:2,pve2:1"},
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
    guest("vm.create", "nodes/{node}/qemu", "qmcreate", also=MACHINE, given={"vmid": 101}),
    guest("vm.convert_to_template", f"{VM}/template", "qmtemplate"),
    guest("vm.resize_disk", f"PUT {VM}/resize", "resize", also={"disk": DISK, "size": SIZE},
          given={"disk": "scsi0", "size": "+10G"}),
    guest("vm.cloudinit_regenerate", f"PUT {VM}/cloudinit", "", catastrophic=True),
    guest("vm.remote_migrate", f"{VM}/remote_migrate", "qmigrate", also=REMOTE, given=FAR,
          catastrophic=True),
    guest("vm.migrate", f"{VM}/migrate", "qmigrate", also={"target": WORD, "online": FLAG},
          given={"target": "pve2"}),
    guest("vm.destroy", f"DELETE {VM}", "qmdestroy", also={"purge": FLAG}, catastrophic=True),
    guest("container.start", f"{LXC}/status/start", "vzstart"),
    guest("container.stop", f"{LXC}/status/stop", "vzstop"),
    guest("container.shutdown", f"{LXC}/status/shutdown", "vzshutdown"),
    guest("container.reboot", f"{LXC}/status/reboot", "vzreboot"),
    guest("container.create", "nodes/{node}/lxc", "vzcreate", also=BOX, given={
        "vmid": 201, "ostemplate": "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"}),
    guest("container.clone", f"{LXC}/clone", "vzclone",
          also={"newid": VMID, "hostname": HOST, "full": FLAG, "storage": WORD}, given={"newid": 201}),
    guest("container.migrate", f"{LXC}/migrate", "vzmigrate",
          also={"target": WORD, "restart": FLAG, "online": FLAG}, given={"target": "pve2"}),
    guest("container.remote_migrate", f"{LXC}/remote_migrate", "vzmigrate",
          also={**REMOTE, "restart": FLAG}, given=FAR, catastrophic=True),
    guest("container.resize_disk", f"PUT {LXC}/resize", "resize", also={"disk": DISK, "size": SIZE},
          given={"disk": "rootfs", "size": "+2G"}),
    guest("container.snapshot_create", f"{LXC}/snapshot", "vzsnapshot",
          also={**SNAPSHOT, "description": LINES}, given={"snapname": "before"}),
    guest("container.snapshot_rollback", LXC + "/snapshot/{snapname}/rollback", "vzrollback",
          also=SNAPSHOT, given={"snapname": "first"}, catastrophic=True),
    guest("container.snapshot_delete", "DELETE " + LXC + "/snapshot/{snapname}", "vzdelsnapshot",
          also=SNAPSHOT, given={"snapname": "first"}, catastrophic=True),
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
    guest("backup.restore", "nodes/{node}/qemu", "qmrestore", catastrophic=True,
          also={"archive": VOLUME, "storage": WORD, "force": FLAG, "unique": FLAG, "start": FLAG},
          given={"archive": "local:backup/vzdump-qemu-100-2026_11_30-02_30_00.vma.zst"}),
    guest("backup.restore_container", "nodes/{node}/lxc", "vzrestore", catastrophic=True,
          also={"ostemplate": VOLUME, "storage": WORD, "force": FLAG, "unique": FLAG, "start": FLAG},
          given={"vmid": 200, "ostemplate": "local:backup/vzdump-lxc-200-2026_11_30-02_30_00.tar.zst"},
          constants={"restore": "1"}, names={"archive": "ostemplate"}),
    at("backup.prune", "DELETE nodes/{node}/storage/{storage}/prunebackups", "prunebackups",
       catastrophic=True, example={**AT_NODE, "storage": "local", "prune-backups": "keep-last=3"},
       properties={"node": WORD, "storage": WORD, "vmid": VMID, "type": one_of("qemu", "lxc"),
                   "prune-backups": {"type": "string", "pattern": r"^(keep-[a-z]+=\d+,?)+$"}}),
    at("storage.delete_volume", "DELETE nodes/{node}/storage/{storage}/content/{volume}", "imgdel",
       catastrophic=True, properties={"node": WORD, "storage": WORD, "volume": VOLUME},
       example={**AT_NODE, "storage": "local", "volume": "local:iso/old.iso"}),
    at("storage.download_url", "nodes/{node}/storage/{storage}/download-url", "download",
       properties={
           "node": WORD, "storage": WORD, "content": one_of("iso", "vztmpl", "import"), "url": WEB_ADDRESS,
           "filename": FILE, "checksum": WORD, "verify-certificates": FLAG,
           "checksum-algorithm": one_of("md5", "sha1", "sha224", "sha256", "sha384", "sha512"),
       },
       example={**AT_NODE, "storage": "local", "content": "iso", "filename": "debian.iso",
                "url": "https://files.example.org/debian.iso"}),
    guest("vm.guest_agent_exec", f"{VM}/agent/exec", "", catastrophic=True, separator="\n",
          also={"command": {"type": "array", "items": {"type": "string", "pattern": r"^[^\n]{1,1024}$"}, "minItems": 1,
                            "maxItems": 64}, "input-data": {"type": "string", "maxLength": 65536}},
          given={"command": ["systemctl", "restart", "nginx"]}),
    guest("vm.guest_agent_file_write", f"{VM}/agent/file-write", "", catastrophic=True,
          also={"file": TEXT, "content": {"type": "string", "maxLength": 61440, "writeOnly": True}},
          given={"file": "/etc/motd", "content": "Welcome"}),
    at("cluster.task_stop", "DELETE nodes/{node}/tasks/{upid}", properties={
        "node": WORD, "upid": {"type": "string", "pattern": r"^UPID:[A-Za-z0-9_.:@!-]{10,200}$"}},
       example={**AT_NODE, "upid": "UPID:pve:00000000:0012ABCD:65A1B2C3:vzdump:100:root@pam:"}),
    at("sdn.apply", "PUT cluster/sdn"),
    at("node.service_action", "nodes/{node}/services/{service}/{command}", "srv{command}",
       properties={"node": WORD, "service": WORD,
                   "command": one_of("start", "stop", "restart", "reload")},
       names={"action": "command"},
       example={**AT_NODE, "service": "pveproxy", "command": "restart"}),
    at("node.certificate_upload", "nodes/{node}/certificates/custom", catastrophic=True,
       properties={"node": WORD, "certificates": PEM, "key": {**PEM, "writeOnly": True}, "force": FLAG,
                   "restart": FLAG},
       example={**AT_NODE, "certificates": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"}),
    at("node.certificate_delete", "DELETE nodes/{node}/certificates/custom", catastrophic=True,
       properties={"node": WORD, "restart": FLAG}, example=AT_NODE),
    at("node.acme_renew", "PUT nodes/{node}/certificates/acme/certificate", "acmerenew",
       properties={"node": WORD, "force": FLAG}, example=AT_NODE),
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
