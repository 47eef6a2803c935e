"""Live parts of pfSense. The reader takes method, path and query or body, and returns the data."""

from collections.abc import Iterator, Mapping

from networks.gateways.drivers.driver import if_told
from networks.gateways.engine.live import LOG_LINES, Asked, Live, Reader, Row, pings

EVERY = {"limit": "0"}
# Month, day, time, host or process.
WORDS = 4


def interfaces(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("GET", "status/interfaces", EVERY):
        is_up = row.get("status") in {"up", "associated"}
        yield {
            "name": row.get("descr") or row.get("name"), "state": "up" if is_up else "down",
            "address": row.get("ipaddr"), "mac": row.get("macaddr"),
            "received": row.get("inbytes"), "sent": row.get("outbytes"),
            "errors": (row.get("inerrs") or 0) + (row.get("outerrs") or 0),
        }  # fmt: skip


def uplinks(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("GET", "status/gateways", EVERY):
        delay, loss = row.get("delay"), row.get("loss")
        yield {
            "name": row.get("name"), "state": row.get("status"), "address": row.get("monitorip"),
            "delay": None if delay is None else f"{delay} ms",
            "loss": None if loss is None else f"{loss} %",
        }  # fmt: skip


def leases(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("GET", "status/dhcp_server/leases", EVERY):
        yield {
            "address": row.get("ip"), "mac": row.get("mac"), "name": row.get("hostname"),
            "state": row.get("active_status"), "expires": row.get("ends"),
        }  # fmt: skip


def vpn(read: Reader, _: Asked) -> Iterator[Row]:
    for server in if_told(lambda: read("GET", "status/openvpn/servers", EVERY), otherwise=[]):
        for row in server.get("conns") or []:
            yield {
                "kind": "OpenVPN", "name": row.get("common_name"), "state": "connected",
                "address": row.get("remote_host"), "received": row.get("bytes_recv"),
                "sent": row.get("bytes_sent"), "since": row.get("connect_time"),
            }  # fmt: skip
    for row in if_told(lambda: read("GET", "status/ipsec/sas", EVERY), otherwise=[]):
        children = row.get("child_sas") or []
        yield {
            "kind": "IPsec", "name": row.get("con_id"), "address": row.get("remote_host"),
            "state": str(row.get("state", "")).lower(),
            "received": sum(one.get("bytes_in") or 0 for one in children),
            "sent": sum(one.get("bytes_out") or 0 for one in children),
            "since": row.get("established"),
        }  # fmt: skip


def log(read: Reader, _: Asked) -> Iterator[Row]:
    rows = read("GET", "status/logs/system", {"limit": str(LOG_LINES), "reverse": "true"})
    for row in rows:
        # Nov 26 12:00:00 host process[pid]: text
        head, _sep, text = str(row.get("text", "")).partition(": ")
        words = head.split()
        is_plain = len(words) >= WORDS and bool(text)
        yield {
            "time": " ".join(words[:3]) if is_plain else "",
            "topic": words[-1].partition("[")[0] if is_plain else "",
            "text": text if is_plain else row.get("text"),
        }  # fmt: skip


def ping(read: Reader, asked: Asked) -> Iterator[Row]:
    told = read("POST", "diagnostics/ping", {"host": asked["host"], "count": asked["count"]})
    yield from pings(str(told.get("output") or ""))


PARTS: Mapping[str, Live] = {
    "interfaces": interfaces, "uplinks": uplinks, "leases": leases, "vpn": vpn, "log": log,
    "ping": ping,
}  # fmt: skip
