"""Live parts of Proxmox VE. The reader takes a path and its query, and returns the data."""

from collections.abc import Iterator, Mapping

from networks.gateways.engine.live import LOG_LINES, Asked, Live, Reader, Row
from networks.gateways.engine.measurements import number

# Month, day, time, host, and the message.
WORDS = 5
KINDS = {"qemu": "virtual machine", "lxc": "container"}


def nodes(read: Reader) -> list[str]:
    return [str(one["node"]) for one in read("nodes") if one.get("status") != "offline"]


def interfaces(read: Reader, _: Asked) -> Iterator[Row]:
    for node in nodes(read):
        for row in read(f"nodes/{node}/network"):
            yield {
                "name": f"{node} {row.get('iface')}", "address": row.get("cidr"),
                "state": "up" if row.get("active") else "down",
            }  # fmt: skip


def uplinks(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("cluster/status"):
        if row.get("type") == "node":
            yield {
                "name": row.get("name"), "address": row.get("ip"),
                "state": "online" if row.get("online") else "offline",
            }  # fmt: skip


def guests(read: Reader, _: Asked) -> Iterator[Row]:
    for node in nodes(read):
        for kind, title in KINDS.items():
            for row in read(f"nodes/{node}/{kind}"):
                use = number(row.get("cpu"))
                yield {
                    "name": row.get("name"), "id": row.get("vmid"), "kind": title, "node": node,
                    "state": row.get("status"), "cpu": "" if use is None else f"{use:.0%}",
                    "memory": row.get("mem"), "uptime": row.get("uptime"),
                }  # fmt: skip


def storage(read: Reader, _: Asked) -> Iterator[Row]:
    for node in nodes(read):
        for row in read(f"nodes/{node}/storage"):
            yield {
                "name": row.get("storage"), "node": node, "kind": row.get("type"),
                "state": "active" if row.get("active") else "inactive",
                "used": row.get("used"), "total": row.get("total"),
            }  # fmt: skip


def log(read: Reader, _: Asked) -> Iterator[Row]:
    for node in nodes(read):
        rows = read(f"nodes/{node}/journal", {"lastentries": str(LOG_LINES)})
        # The first and the last line are marks, by which the reading is continued.
        for line in reversed(rows[1:-1]):
            words = str(line).split(maxsplit=4)
            is_plain = len(words) == WORDS
            yield {
                "time": " ".join(words[:3]) if is_plain else "",
                "topic": node, "text": words[4] if is_plain else line,
            }  # fmt: skip


PARTS: Mapping[str, Live] = {
    "interfaces": interfaces, "uplinks": uplinks, "guests": guests, "storage": storage,
    "log": log,
}  # fmt: skip
