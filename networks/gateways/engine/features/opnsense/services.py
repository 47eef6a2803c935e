"""OPNsense: IPsec, intrusion detection, and DHCP by Dnsmasq."""

from functools import partial

from networks.gateways.engine.features.feature import Feature
from networks.gateways.engine.features.schemas import (
    ADDRESS,
    FLAG,
    HOST,
    MAC,
    NETWORKS,
    SECRET,
    TEXT,
    UUID,
    WORD,
    number,
    one_of,
    several,
)

Kind = partial(Feature, "opnsense")
ActionFeature = partial(Kind, operations=("create",))
IPsec = partial(Kind, activation="ipsec/service/reconfigure")
Detection = partial(Kind, activation="ids/service/reconfigure", in_area="ids")
Dnsmasq = partial(Kind, activation="dnsmasq/service/reconfigure", since="25.7")
PARENT = "8c1d3f2e-0000-4000-8000-000000000003"
HOSTS = {"type": "string", "pattern": r"^[A-Za-z0-9_.:%,/-]{0,255}$", "compare": "csv"}
WORDS = {"type": "array", "items": WORD, "maxItems": 64}
WHO = {"type": "string", "pattern": r"^[0-9a-zA-Z.,_:=@%* -]{0,255}$"}
SIDE = {
    "enabled": FLAG, "connection": UUID, "round": number(0, 10), "id": WHO, "eap_id": WHO,
    "auth": one_of("psk", "pubkey", "eap-tls", "eap-mschapv2", "xauth-pam", "eap-radius"),
    "certs": WORDS, "description": TEXT,
}  # fmt: skip
TIME = number(0, 500000)
GENERAL = ("enabled", "mode", "promisc", "interfaces", "homenet", "syslog")
SID = {"type": "string", "pattern": r"^\d{1,10}(,\d{1,10}){0,99}$"}

SERVICES = (
    IPsec(
        "opnsense.vpn.ipsec.connection", "ipsec/connections", "Connection", "connection",
        properties={
            "enabled": FLAG, "description": TEXT, "local_addrs": HOSTS, "remote_addrs": HOSTS,
            "version": one_of("0", "1", "2"), "proposals": WORDS, "mobike": FLAG, "encap": FLAG,
            "unique": one_of("no", "never", "keep", "replace"), "rekey_time": TIME,
            "reauth_time": TIME, "dpd_delay": TIME, "dpd_timeout": TIME, "keyingtries": number(0, 1000),
        },
        required=("description",),
        example={"description": "Branch", "remote_addrs": "198.51.100.9", "version": "2",
                 "proposals": ["aes256-sha256-modp2048"]},
        change={"remote_addrs": "198.51.100.10", "dpd_delay": 10},
    ),
    IPsec(
        "opnsense.vpn.ipsec.local", "ipsec/connections", "Local", "local", properties=SIDE,
        required=("connection", "auth"),
        example={"connection": PARENT, "auth": "psk", "id": "fw.example.org"},
        change={"id": "gate.example.org"},
    ),
    IPsec(
        "opnsense.vpn.ipsec.remote", "ipsec/connections", "Remote", "remote", properties=SIDE,
        required=("connection", "auth"),
        example={"connection": PARENT, "auth": "psk", "id": "branch.example.org"},
        change={"id": "198.51.100.9"},
    ),
    IPsec(
        "opnsense.vpn.ipsec.child", "ipsec/connections", "Child", "child",
        properties={
            "enabled": FLAG, "connection": UUID, "description": TEXT, "esp_proposals": WORDS,
            "mode": one_of("tunnel", "transport", "pass", "drop"), "local_ts": NETWORKS,
            "start_action": one_of("none", "trap|start", "route", "start", "trap"),
            "close_action": one_of("none", "trap", "start"), "remote_ts": NETWORKS,
            "dpd_action": one_of("clear", "trap", "start"), "rekey_time": TIME,
        },
        required=("connection", "mode"),
        example={"connection": PARENT, "mode": "tunnel", "local_ts": ["192.168.1.0/24"],
                 "remote_ts": ["192.168.99.0/24"]},
        change={"remote_ts": ["192.168.98.0/24"]},
    ),
    IPsec(
        "opnsense.vpn.ipsec.psk", "ipsec/pre_shared_keys", "Item", "preSharedKey",
        properties={"ident": WHO, "remote_ident": WHO, "keyType": one_of("PSK", "EAP"),
                    "Key": SECRET, "description": {**TEXT, "since": "25.1"}},
        required=("ident", "Key"),
        example={"ident": "fw.example.org", "remote_ident": "branch.example.org",
                 "Key": "correct horse"},
        change={"remote_ident": "office.example.org"},
    ),
    ActionFeature("opnsense.vpn.ipsec.apply", action="ipsec/service/reconfigure"),
    *(
        ActionFeature(
            f"opnsense.vpn.ipsec.{verb}", action=f"ipsec/sessions/{verb}/{{id}}",
            properties={"id": WORD}, required=("id",), example={"id": PARENT},
        )
        for verb in ("connect", "disconnect")
    ),
    Detection(
        "opnsense.ids.settings", "ids/settings", "", "ids", operations=("update",),
        names={name: f"general.{name}" for name in GENERAL},
        properties={
            "general.enabled": FLAG, "general.mode": one_of("pcap", "netmap", "divert"),
            "general.promisc": FLAG, "general.interfaces": WORDS, "general.homenet": NETWORKS,
            "general.syslog": FLAG, "general.AlertSaveLogs": number(1, 1000),
        },
        change={"enabled": True, "mode": "netmap", "interfaces": ["lan", "wan"]},
    ),
    Detection(
        "opnsense.ids.user_rule", "ids/settings", "UserRule", "rule",
        properties={"enabled": FLAG, "source": HOSTS, "destination": HOSTS, "description": TEXT,
                    "action": one_of("alert", "drop", "pass"), "bypass": FLAG},
        required=("description", "action"),
        example={"description": "Known scanner", "source": "203.0.113.9", "action": "drop"},
        change={"action": "alert"},
    ),
    Detection(
        "opnsense.ids.policy", "ids/settings", "Policy", "policy",
        properties={
            "enabled": FLAG, "description": TEXT, "prio": number(0, 65535), "rulesets": WORDS,
            "action": several("disable", "alert", "drop"),
            "new_action": one_of("default", "alert", "drop", "disable"),
        },
        required=("new_action",),
        example={"description": "Drop what alerts", "action": ["alert"], "new_action": "drop"},
        change={"prio": 2},
    ),
    *(
        ActionFeature(
            f"opnsense.ids.rule_{verb}", action=f"ids/settings/toggleRule/{{sids}}/{flag}",
            properties={"sids": SID}, required=("sids",), names={"sid": "sids"},
            example={"sids": "2019876"},
        )
        for verb, flag in (("enable", 1), ("disable", 0))
    ),
    ActionFeature(
        "opnsense.ids.alert_drop", action="ids/service/dropAlertLog",
        properties={"filename": {"type": "string", "pattern": r"^eve\.json(\.\d{1,3})?$"}},
        required=("filename",), example={"filename": "eve.json.1"},
    ),
    ActionFeature("opnsense.ids.apply", action="ids/service/reconfigure"),
    Dnsmasq(
        "opnsense.dhcp.dnsmasq_host", "dnsmasq/settings", "Host", "host",
        properties={"host": HOST, "domain": HOST, "ip": {"type": "array", "items": ADDRESS},
                    "hwaddr": {"type": "array", "items": MAC}, "descr": TEXT, "ignore": FLAG},
        required=("host",),
        example={"host": "printer", "ip": ["192.168.1.5"], "hwaddr": ["02:00:00:00:00:05"]},
        change={"ip": ["192.168.1.6"]},
    ),
    Dnsmasq(
        "opnsense.dhcp.dnsmasq_range", "dnsmasq/settings", "Range", "range",
        properties={"interface": WORD, "start_addr": ADDRESS, "end_addr": ADDRESS,
                    "subnet_mask": ADDRESS, "lease_time": number(60, 31536000), "domain": HOST,
                    "description": TEXT},
        required=("start_addr",),
        example={"interface": "lan", "start_addr": "192.168.1.100", "end_addr": "192.168.1.200"},
        change={"end_addr": "192.168.1.150"},
    ),
    ActionFeature(
        "opnsense.dhcp.dnsmasq_apply", action="dnsmasq/service/reconfigure", since="25.7",
    ),
)  # fmt: skip
