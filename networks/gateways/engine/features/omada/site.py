"""Omada: settings of a site that it has one of."""

from functools import partial

from networks.gateways.engine.features.omada.kinds import PASSWORD, WORDS, Settings
from networks.gateways.engine.features.schemas import ADDRESS, FLAG, HOST, PORT, WORD, number

Patched = partial(Settings, changed_by="PATCH")
NUMBERS = {"type": "array", "items": number(0, 255), "maxItems": 64}
PORTS = {"type": "array", "items": PORT, "maxItems": 16}
LIMIT, TIMEOUT = number(100, 99999), number(1, 86400)
FLOODS = ("tcpConn", "udpConn", "icmpConn", "tcpSrc", "udpSrc", "icmpSrc")
BLOCKS = ("largePing", "pingDeath", "pingWan", "tcpFinNoAck", "tcpScan", "tcpSynFin",
          "winNukeAttack", "specifiedOption")  # fmt: skip
OPTIONS = ("noOperation", "recordRoute", "securityOption", "stream", "timestamp")

SITE = (
    Settings(
        "firewall.upnp", "upnp", kept=("supportByDsLiteAndMapE",),
        properties={"enable": FLAG, "networkIds": WORDS, "wanPortIds": WORDS},
        change={"enable": True, "networkIds": ["net1"], "wanPortIds": ["wan1"]},
    ),
    Settings(
        "firewall.alg", "nat/alg",
        properties={
            **dict.fromkeys(("ftp", "h323", "ipSec", "pptp", "sip", "sipDirectMedia",
                                       "sipDirectSignaling", "sipTcp", "sipTimeout", "sipUdp"), FLAG),
            "ftpPorts": PORTS, "sipPorts": PORTS, "sipMediaTimeout": TIMEOUT,
            "sipSignalingTimeout": TIMEOUT,
        },
        change={"sip": False, "ftpPorts": [21, 2121]},
    ),
    Patched(
        "firewall.attack_defense", "attack-defense",
        properties={
            **{f"{name}Enable": FLAG for name in (*FLOODS, *BLOCKS)},
            **{f"{name}Limit": LIMIT for name in FLOODS},
            **{f"specifiedOption.{name}Enable": FLAG for name in OPTIONS},
            "largePingThreshold": number(28, 65535), "tcpScanReject": FLAG,
            "icmpTimestampRequestReject": FLAG,
        },
        change={"pingWanEnable": True, "tcpConnEnable": True, "tcpConnLimit": 5000},
    ),
    Patched(
        "firewall.ids_ips", "network-security/ips",
        properties={"enable": FLAG, "ipsMode": number(0, 1), "dpLevel": number(0, 3),
                    "geoEnable": FLAG, "customCategories": NUMBERS, "timeRangeId": WORD},
        change={"enable": True, "ipsMode": 1, "dpLevel": 2},
    ),
    Settings(
        "wifi.wids_wips", "network-security/wireless-ids",
        properties={"status": FLAG, "level": number(0, 2), "detection": NUMBERS},
        change={"status": True, "level": 0},
    ),
    Patched(
        "wifi.mesh_detail", "mesh",
        properties={**{f"mesh.{name}": FLAG for name in ("meshEnable", "autoFailoverEnable",
                                                         "defGatewayEnable", "fullSector")},
                    "mesh.gateway": ADDRESS},
        change={"mesh.meshEnable": False},
    ),
    Patched(
        "monitoring.snmp", "setting/service/snmp", in_area="system",
        properties={"snmpV1V2CEnable": FLAG, "communityString": PASSWORD, "snmpV3Enable": FLAG,
                    "username": WORD, "password": PASSWORD},
        change={"snmpV3Enable": True, "username": "watch"},
    ),
    Patched(
        "monitoring.syslog", "remote-logging", in_area="system", kept=("resource",),
        properties={"remoteLog.enable": FLAG, "remoteLog.host": HOST, "remoteLog.port": PORT,
                    "remoteLog.moreClientLog": FLAG},
        names={"enable": "remoteLog.enable", "host": "remoteLog.host", "port": "remoteLog.port"},
        change={"enable": True, "host": "192.0.2.50", "port": 514},
    ),
    Settings(
        "vpn.sslvpn.config", "vpn/ssl-vpn-server/setting",
        kept=("LDAPSetting", "ipLockSetting", "nameLockSetting", "radiusSetting"),
        properties={
            "status": FLAG, "authType": number(0, 2), "servicePort": PORT, "wanPort": WORD,
            "ipPoolStart": ADDRESS, "ipPoolEnd": ADDRESS, "primaryDns": ADDRESS,
            "secondaryDns": ADDRESS, "totalTraffic": FLAG, "exitAtIdle": FLAG,
            "exitTime": number(5, 3600),
        },
        change={"servicePort": 1195, "primaryDns": "9.9.9.9"},
    ),
    Settings(
        "vpn.gre.tunnel", "vpn/gre-tunnel",
        properties={"greEnable": FLAG, "primaryAddress": ADDRESS, "secondaryAddress": ADDRESS,
                    "tunnelMtu": number(850, 1500), "interval": number(10, 600),
                    "maxCount": number(3, 10)},
        change={"greEnable": True, "primaryAddress": "192.0.2.20"},
    ),
)  # fmt: skip
