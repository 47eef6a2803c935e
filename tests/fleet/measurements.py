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
            "interface/wifi/registration-table": [
                {".id": "*1", "interface": "wifi1", "mac-address": HOST.upper(), "ssid": "Office",
                 "signal": "-52", "bytes": f"{rx},{tx}", "uptime": "1h2m3s"},
            ],
            "interface/wireless/registration-table": [],
            "ppp/active": [
                {".id": "*1", "name": "anna", "service": "l2tp", "address": "10.8.0.5",
                 "uptime": "5m"},
            ],
            "ip/ipsec/active-peers": [
                {".id": "*1", "remote-address": "198.51.100.9", "state": "established",
                 "rx-bytes": str(rx), "tx-bytes": str(tx), "uptime": "2h"},
            ],
            "log": [
                {".id": "*1", "time": "nov/26 12:00:00", "topics": "system,info",
                 "message": "router rebooted"},
                {".id": "*2", "time": "nov/26 12:00:05", "topics": "dhcp,info",
                 "message": "lease assigned"},
            ],
        },
        "openwrt": lambda: {
            "network.interface dump": {
                "interface": [
                    {"interface": "wan", "up": True, "proto": "dhcp", "device": "wan",
                     "uptime": 4000, "ipv4-address": [{"address": "192.0.2.1", "mask": 24}],
                     "route": [{"target": "::", "mask": 0, "nexthop": "2001:db8::1"}]},
                    {"interface": "lan", "up": True, "proto": "static", "device": "br-lan"},
                ],
            },
            "luci-rpc getDHCPLeases": {
                "dhcp_leases": [{"expires": 4000, "hostname": "printer",
                                 "macaddr": HOST.upper(), "ipaddr": "192.168.1.9"}],
            },
            "iwinfo devices": {"devices": ["phy0-ap0"]},
            "iwinfo info": {"phy": "phy0", "ssid": "Office", "channel": 36},
            "iwinfo assoclist": {
                "results": [{"mac": HOST.upper(), "signal": -52, "connected_time": 3723,
                             "rx": {"bytes": rx, "packets": 1}, "tx": {"bytes": tx}}],
            },
            "log read": {
                "log": [{"msg": "dnsmasq[1]: lease assigned", "id": 1, "priority": 30,
                         "source": 3, "time": 1_790_000_000_000}],
            },
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
            "routes/gateway/status": {
                "items": [{"name": "WAN_DHCP", "address": "192.0.2.254", "status": "none",
                           "loss": "0.0 %", "delay": "4.2 ms", "stddev": "0.1 ms",
                           "monitor": "~"}],
                "status": "ok",
            },
            "kea/leases4/search": {
                "rows": [{"address": "192.168.1.9", "hwaddr": HOST, "valid_lifetime": 4000,
                          "expire": 1_790_000_000, "hostname": "printer", "state": 0,
                          "if": "vtnet1", "if_name": "lan", "if_descr": "LAN",
                          "is_reserved": False, "mac_info": ""}],
                "total": 1, "stats": {"active": 1, "inactive": 0, "total": 1}, "interfaces": {},
            },
            "wireguard/service/show": {
                "rows": [{"if": "wg0", "ifname": "wg0", "type": "peer", "public-key": "k",
                          "endpoint": "198.51.100.7:51820", "latest-handshake": 1_790_000_000,
                          "latest-handshake-age": 60, "peer-status": "online",
                          "transfer-rx": rx, "transfer-tx": tx}],
            },
            "openvpn/service/searchSessions": {
                "rows": [{"id": "1", "type": "server", "status": "connected",
                          "common_name": "anna", "real_address": "198.51.100.8:1194",
                          "virtual_address": "10.8.0.5", "bytes_received": rx, "bytes_sent": tx,
                          "connected_since": "2026-11-26 12:00:00", "description": ""}],
                "total": 1,
            },
            "ipsec/sessions/searchPhase1": {"rows": [], "total": 0},
            "diagnostics/log/core/system": {
                "rows": [{"timestamp": "2026-11-26T12:00:00", "severity": "Notice",
                          "process_name": "kernel", "pid": "1", "line": "link state is up",
                          "rnum": 1}],
                "total": 1, "total_rows": 1, "origin": "system",
            },
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
            "status/gateways": [
                {"id": 0, "name": "WAN_DHCP", "srcip": "192.0.2.1", "monitorip": "192.0.2.254",
                 "delay": 4.2, "stddev": 0.1, "loss": 0.0, "status": "online",
                 "substatus": "none"},
            ],
            "status/dhcp_server/leases": [
                {"id": 0, "ip": "192.168.1.9", "mac": HOST, "hostname": "printer", "if": "lan",
                 "starts": "2026/11/26 12:00:00", "ends": "2026/11/26 14:00:00",
                 "active_status": "active", "online_status": "active/online", "descr": ""},
            ],
            "status/openvpn/servers": [
                {"id": 0, "name": "remote users", "mode": "server_tls", "port": "1194",
                 "vpnid": 1, "mgmt": "server1", "routes": [],
                 "conns": [{"common_name": "anna", "remote_host": "198.51.100.8",
                            "virtual_addr": "10.8.0.5", "bytes_recv": rx, "bytes_sent": tx,
                            "connect_time": "2026-11-26 12:00:00"}]},
            ],
            "status/ipsec/sas": [],
            "status/logs/system": [
                {"id": 0, "text": "Nov 26 12:00:00 fw kernel[1]: link state is up"},
            ],
            "diagnostics/arp_table": [
                {"id": 0, "hostname": "", "ip_address": "192.168.1.9", "mac_address": HOST,
                 "interface": "LAN"},
            ],
        },
        "proxmox": lambda: {
            "nodes/pve/qemu": [
                {"vmid": 100, "name": "web", "status": "running", "cpu": 0.05, "cpus": 2,
                 "mem": 1_000_000, "maxmem": 2_000_000, "uptime": 4000},
            ],
            "nodes/pve/lxc": [
                {"vmid": 200, "name": "dns", "status": "stopped", "maxmem": 1_000_000},
            ],
            "nodes/pve/storage": [
                {"storage": "local", "type": "dir", "content": "iso", "active": 1, "enabled": 1,
                 "used": 300, "total": 1000, "avail": 700},
            ],
            "nodes/pve/journal": [
                "s=1;i=1", "Nov 26 12:00:00 pve pvedaemon[1]: started", "s=1;i=2",
            ],
            "cluster/status": [
                {"id": "node/pve", "name": "pve", "type": "node", "ip": "192.168.1.5",
                 "online": 1, "local": 1, "nodeid": 0, "level": ""},
            ],
            "nodes/pve/status": {
                "uptime": 1_000_000, "cpu": 0.125, "cpuinfo": {"cpus": 8},
                "memory": {"total": 4000, "used": 3000, "free": 900, "available": 1000},
                "rootfs": {"total": 1000, "used": 300, "avail": 700, "free": 700},
            },
        },
        "unifi": lambda: {
            "stat/sta": [
                {"_id": "d" * 24, "mac": HOST, "ip": "192.168.1.9", "hostname": "phone",
                 "is_wired": False, "essid": "Office", "ap_mac": "02:00:00:00:00:02",
                 "signal": -52, "rx_bytes": rx, "tx_bytes": tx, "uptime": 3723,
                 "network": "LAN"},
                {"_id": "e" * 24, "mac": "02:00:00:00:00:98", "ip": "192.168.1.8",
                 "name": "printer", "is_wired": True, "use_fixedip": True, "network": "LAN",
                 "uptime": 9000},
            ],
            "stat/health": [
                {"subsystem": "wan", "status": "ok", "wan_ip": "192.0.2.1"},
                {"subsystem": "www", "status": "ok", "latency": 4, "drops": 0},
                {"subsystem": "vpn", "status": "ok", "remote_user_num_active": 1,
                 "site_to_site_num_active": 2},
            ],
            "stat/event": [
                {"key": "EVT_WU_Connected", "msg": "phone has connected to Office",
                 "time": 1_790_000_000_000},
            ],
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
            "gateways/02-00-00-00-00-01/wan-status": [
                {"name": "WAN1", "status": 1, "internetState": 1, "ip": "192.0.2.1",
                 "mac": MAC.replace(":", "-"), "rx": rx, "tx": tx, "rxErrorPkts": 0,
                 "txErrorPkts": 0, "latency": 4, "loss": 0.0},
            ],
            "setting/service/dhcp/user-list": [
                {"ipAddress": "192.168.0.9", "macAddress": "02-00-00-00-00-99",
                 "name": "printer", "leftLeaseTime": "1h 2m", "status": 0, "type": 1},
            ],
            "clients": [
                {"mac": "02-00-00-00-00-99", "name": "phone", "ip": "192.168.0.9",
                 "connectType": 1, "ssid": "Office", "apName": "ap-hall", "rssi": -52,
                 "networkName": "LAN", "trafficDown": tx, "trafficUp": rx, "uptime": 3723},
            ],
            "setting/vpn/stats/tunnel": [
                {"vpnName": "branch", "remoteIp": "198.51.100.9", "downBytes": rx,
                 "upBytes": tx, "uptime": "2h"},
            ],
            "logs/events": [
                {"id": "1", "key": "x", "module": "Client", "time": 1_790_000_000_000,
                 "content": "phone is connected"},
            ],
            "devices": [
                {"mac": "02-00-00-00-00-01", "name": "gateway", "type": "gateway", "status": 1,
                 "cpuUtil": 9, "memUtil": 33, "uptime": "10day(s) 2h 3m 4s"},
                {"mac": "02-00-00-00-00-02", "name": "ap-hall", "type": "ap", "status": 1,
                 "cpuUtil": 5, "memUtil": 50, "uptime": "2h 3m 4s"},
                {"mac": "02-00-00-00-00-03", "name": "ap-off", "type": "ap", "status": 0},
            ],
        },
    }[vendor]()  # fmt: skip
