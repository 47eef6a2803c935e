"""Changes of Proxmox as FreeSDN's web client stages them."""

from collections.abc import Mapping
from typing import Any

from networks.gateways.engine.features import Feature

Body = dict[str, Any]
# Features that another one means, by the kind of guest.
MEANT: Mapping[tuple[str, Any], str] = {
    ("proxmox.backup.restore", "lxc"): "proxmox.backup.restore_container",
}
KEPT = "prune-backups"


def in_our_words(feature: Feature, operation: str, body: Body, target: str) -> tuple[Body, str]:
    """Return a body as Proxmox takes it; it names node, storage and guest itself."""
    if "vm_type" in body and "vm_type" not in feature.properties:
        del body["vm_type"]
    if feature.action:
        target = ""
    if KEPT in feature.properties and KEPT not in body:
        body = _kept(body)
    return body, target


def _kept(body: Body) -> Body:
    """Return a prune with what is kept as Proxmox's one text."""
    rest = {name: one for name, one in body.items() if not name.startswith("keep_")}
    kept = [
        f"{name.replace('_', '-')}={one}"
        for name, one in body.items()
        if name.startswith("keep_") and isinstance(one, int)
    ]
    return {**rest, KEPT: ",".join(kept)} if kept else rest
