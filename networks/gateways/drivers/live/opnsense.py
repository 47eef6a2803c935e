"""Live parts of OPNsense. The reader takes method, path and body, and returns the answer."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from networks.gateways.drivers.contract import Unreachable
from networks.gateways.drivers.driver import if_told
from networks.gateways.engine.live import LOG_LINES, Asked, Live, Reader, Row, duration

NONE = "~"


def uplinks(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("GET", "routes/gateway/status").get("items") or []:
        told = {name: "" if value == NONE else value for name, value in row.items()}
        state = told.get("status_translated") or told.get("status")
        yield {
            "name": told.get("name"), "address": told.get("address"),
            "state": "online" if state == "none" else state, "delay": told.get("delay"),
            "loss": told.get("loss"),
        }  # fmt: skip


def leases(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("GET", "kea/leases4/search").get("rows") or []:
        is_static = str(row.get("is_reserved")).lower() not in {"", "false", "0", "none"}
        yield {
            "address": row.get("address"), "mac": row.get("hwaddr"),
            "name": row.get("hostname"), "state": "static" if is_static else "dynamic",
            "expires": duration(row.get("valid_lifetime")),
        }  # fmt: skip


def vpn(read: Reader, _: Asked) -> Iterator[Row]:
    def rows(path: str) -> Any:
        return if_told(lambda: read("GET", path), otherwise={}).get("rows") or []

    for row in rows("wireguard/service/show"):
        if row.get("type") == "peer":
            yield {
                "kind": "WireGuard", "name": row.get("name") or row.get("ifname"),
                "address": row.get("endpoint"), "state": row.get("peer-status"),
                "received": row.get("transfer-rx"), "sent": row.get("transfer-tx"),
                "since": row.get("latest-handshake-age"),
            }  # fmt: skip
    for row in rows("openvpn/service/searchSessions"):
        yield {
            "kind": "OpenVPN", "name": row.get("common_name") or row.get("description"),
            "address": row.get("real_address"), "state": row.get("status"),
            "received": row.get("bytes_received"), "sent": row.get("bytes_sent"),
            "since": row.get("connected_since"),
        }  # fmt: skip
    for row in rows("ipsec/sessions/searchPhase1"):
        yield {
            "kind": "IPsec", "name": row.get("phase1desc") or row.get("name"),
            "address": row.get("remote-addrs"),
            "state": "connected" if row.get("connected") else "not connected",
            "received": row.get("bytes-in"), "sent": row.get("bytes-out"),
        }  # fmt: skip


def log(read: Reader, _: Asked) -> Iterator[Row]:
    asked = {"current": 1, "rowCount": LOG_LINES, "searchPhrase": ""}
    for row in read("POST", "diagnostics/log/core/system", asked).get("rows") or []:
        yield {
            "time": row.get("timestamp"), "topic": row.get("process_name"),
            "text": row.get("line"),
        }  # fmt: skip


def ping(read: Reader, asked: Asked) -> Iterator[Row]:
    """Run a job of the firewall, and end it when it has sent enough."""
    known = {"hostname": asked["host"], "fam": "ip6" if ":" in asked["host"] else "ip"}
    job = str(
        read("POST", "diagnostics/ping/set", {"ping": {"settings": known}}).get("uuid", "")
    )
    if not job:
        raise Unreachable("The firewall begins no ping.")
    read("POST", f"diagnostics/ping/start/{job}", {})
    try:
        threading.Event().wait(asked["count"] * asked["pause"])
        rows = read("GET", "diagnostics/ping/searchJobs").get("rows") or []
    finally:
        read("POST", f"diagnostics/ping/stop/{job}", {})
        read("POST", f"diagnostics/ping/remove/{job}", {})
    for row in rows:
        if row.get("id") == job:
            yield {
                "number": row.get("send"), "address": asked["host"], "time": row.get("avg"),
                "state": f"{row.get('received')} received, {row.get('loss')} lost",
            }  # fmt: skip


def traceroute(read: Reader, asked: Asked) -> Iterator[Row]:
    known = {
        "hostname": asked["host"], "ipproto": "inet6" if ":" in asked["host"] else "inet",
        "protocol": "icmp",
    }  # fmt: skip
    told = read("POST", "diagnostics/traceroute/set", {"traceroute": {"settings": known}})
    for row in (told.get("response") or {}).get("rows") or []:
        yield {
            "number": row.get("ttl"),
            "address": row.get("address"),
            "time": row.get("probes"),
        }


PARTS: Mapping[str, Live] = {
    "uplinks": uplinks, "leases": leases, "vpn": vpn, "log": log, "ping": ping,
    "traceroute": traceroute,
}  # fmt: skip
