"""What stand-in gateways measure: resources that stay, and counters that grow."""

import time
from typing import Any

SENT = 4
MAC = "02:00:00:00:00:01"
HOST = "02:00:00:00:00:99"


class Counters:
    """Counters of one port: 1 Mbit/s received and a quarter of it sent, unless a test sets them."""

    fixed: int | None = None

    @property
    def received(self) -> int:
        return int(time.time() * 125_000) if self.fixed is None else self.fixed

    @property
    def sent(self) -> int:
        return self.received // SENT


def answers(vendor: str, counters: Counters) -> dict[str, Any]:
    """Return what a gateway of this vendor answers, by path."""
    rx, tx = counters.received, counters.sent
    return {
        "mikrotik": lambda: {
            "interface": [
                {".id": "*1", "name": "ether1", "type": "ether", "mac-address": MAC.upper(),
                 "running": "true", "disabled": "false", "actual-mtu": "1500",
                 "rx-byte": str(rx), "tx-byte": str(tx), "rx-packet": str(rx // 100),
                 "tx-packet": str(tx // 100), "rx-error": "0", "tx-error": "0",
                 "rx-drop": "0", "tx-drop": "0"},
            ],
            "ip/arp": [
                {".id": "*1", "address": "192.168.88.9", "mac-address": HOST.upper(),
                 "interface": "ether1"},
            ],
            "ip/neighbor": [
                {".id": "*1", "interface": "ether1", "identity": "core",
                 "mac-address": HOST.upper(), "interface-name": "ge-0/0/1"},
            ],
            "system/health": [{".id": "*1", "name": "temperature", "value": "41", "type": "C"}],
        },
        "openwrt": lambda: {
            "system info": {
                "localtime": 1_790_000_000, "uptime": 4000, "load": [32768, 16384, 8192],
                "memory": {"total": 1000, "free": 100, "shared": 0, "buffered": 50,
                           "available": 400, "cached": 300},
                "root": {"total": 1000, "free": 400, "used": 600, "avail": 400},
            },
            "network.device status": {
                "lo": {"up": True},
                "wan": {"up": True, "macaddr": MAC, "speed": "1000F",
                        "statistics": {"rx_bytes": rx, "tx_bytes": tx, "rx_packets": 5,
                                       "tx_packets": 6, "rx_errors": 0, "tx_errors": 0,
                                       "rx_dropped": 0, "tx_dropped": 0}},
            },
        },
        "opnsense": lambda: {
            "diagnostics/system/systemResources": {
                "memory": {"total": "4000", "used": 1000, "arc": "0"},
            },
            "diagnostics/system/systemDisk": {
                "devices": [{"device": "/dev/gpt/rootfs", "type": "ufs", "blocks": "20G",
                             "used": "5G", "available": "15G", "used_pct": 25,
                             "mountpoint": "/"}],
            },
            "diagnostics/system/systemTemperature": [
                {"device": "hw.acpi.thermal.tz0.temperature", "device_seq": "0",
                 "temperature": "38.5", "type": "zone"},
            ],
            "diagnostics/interface/getInterfaceStatistics": {
                "statistics": {
                    f"[WAN] (vtnet0) / {MAC}": {
                        "name": "vtnet0", "flags": "0x8843", "mtu": 1500,
                        "network": "<Link#1>", "address": MAC, "received-packets": 9,
                        "received-errors": 0, "dropped-packets": 0, "received-bytes": rx,
                        "sent-packets": 8, "send-errors": 0, "sent-bytes": tx, "collisions": 0,
                    },
                    "[WAN] (vtnet0) / 192.0.2.1": {
                        "name": "vtnet0", "network": "192.0.2.0/24", "address": "192.0.2.1",
                        "received-bytes": 1, "sent-bytes": 1,
                    },
                },
            },
            "diagnostics/interface/getArp": [
                {"mac": HOST, "ip": "192.168.1.9", "intf": "vtnet1", "hostname": ""},
            ],
        },
        "pfsense": lambda: {
            "status/system": {
                "uptime": "10 Days 02 Hours 03 Minutes 04 Seconds", "temp_c": 44.0,
                "cpu_count": 4, "cpu_usage": 12.5, "mem_usage": 30.0, "disk_usage": 8.0,
            },
            "status/interfaces": [
                {"id": 0, "name": "wan", "descr": "WAN", "hwif": "vtnet0", "macaddr": MAC,
                 "mtu": "1500", "enable": True, "status": "up", "ipaddr": "192.0.2.1",
                 "inerrs": 0, "outerrs": 0, "collisions": 0, "inbytes": rx, "outbytes": tx,
                 "inpkts": 9, "outpkts": 8},
            ],
            "diagnostics/arp_table": [
                {"id": 0, "hostname": "", "ip_address": "192.168.1.9", "mac_address": HOST,
                 "interface": "LAN"},
            ],
        },
        "proxmox": lambda: {
            "nodes/pve/status": {
                "uptime": 1_000_000, "cpu": 0.125, "cpuinfo": {"cpus": 8},
                "memory": {"total": 4000, "used": 3000, "free": 900, "available": 1000},
                "rootfs": {"total": 1000, "used": 300, "avail": 700, "free": 700},
            },
        },
        "unifi": lambda: {
            "stat/device": [
                {"_id": "a" * 24, "mac": MAC, "name": "gateway", "type": "udm", "state": 1,
                 "ip": "192.168.1.1", "uptime": 1_000_000, "num_sta": 12,
                 "system-stats": {"cpu": "12.5", "mem": "40.0", "uptime": "1000000"},
                 "temperatures": [{"name": "CPU", "type": "cpu", "value": 52.0}],
                 "port_table": [{"port_idx": 1, "name": "WAN", "ifname": "eth8", "up": True,
                                 "speed": 1000, "rx_bytes": rx, "tx_bytes": tx}]},
                {"_id": "b" * 24, "mac": "02:00:00:00:00:02", "name": "ap-hall", "type": "uap",
                 "state": 1, "ip": "192.168.1.2", "uptime": 5000, "num_sta": 7,
                 "system-stats": {"cpu": "3", "mem": "60"}, "uplink": {"uplink_mac": MAC}},
                {"_id": "c" * 24, "mac": "02:00:00:00:00:03", "name": "ap-off", "type": "uap",
                 "state": 0},
            ],
        },
        "omada": lambda: {
            "devices": [
                {"mac": "02-00-00-00-00-01", "name": "gateway", "type": "gateway", "status": 1,
                 "cpuUtil": 9, "memUtil": 33, "uptime": "10day(s) 2h 3m 4s"},
                {"mac": "02-00-00-00-00-02", "name": "ap-hall", "type": "ap", "status": 1,
                 "cpuUtil": 5, "memUtil": 50, "uptime": "2h 3m 4s"},
                {"mac": "02-00-00-00-00-03", "name": "ap-off", "type": "ap", "status": 0},
            ],
        },
    }[vendor]()  # fmt: skip
