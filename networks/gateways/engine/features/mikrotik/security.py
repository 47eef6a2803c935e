"""RouterOS: users, certificates, RADIUS and SNMP."""

from networks.gateways.engine.features.mikrotik.kinds import (
    COMMENTED,
    ActionFeature,
    Menu,
    Settings,
)
from networks.gateways.engine.features.schemas import (
    ADDRESS,
    ADDRESSES,
    DURATION,
    FILE,
    FLAG,
    HOST,
    NETWORKS,
    PORT,
    SECRET,
    TEXT,
    WORD,
    number,
    one_of,
    several,
)

USAGES = several("digital-signature", "content-commitment", "key-encipherment", "data-encipherment",
                 "key-agreement", "key-cert-sign", "crl-sign", "tls-server", "tls-client",
                 "code-sign", "email-protect", "timestamp", "ocsp-sign")  # fmt: skip
SIZES = one_of("1024", "1536", "2048", "4096", "8192", "prime256v1", "secp384r1", "secp521r1")
# Who may ask by SNMP, and by which passwords.
COMMUNITY = {
    **COMMENTED, "name": WORD, "addresses": NETWORKS, "read-access": FLAG, "write-access": FLAG,
    "authentication-protocol": one_of("MD5", "SHA1"), "authentication-password": SECRET,
    "encryption-protocol": one_of("AES", "DES"), "encryption-password": SECRET,
}  # fmt: skip

SECURITY = (
    Menu(
        "mikrotik.security.user", "user",
        properties={**COMMENTED, "name": WORD, "group": WORD, "password": SECRET,
                    "address": NETWORKS},
        required=("name", "group", "password"),
        example={"name": "anna", "group": "read", "password": "correct horse"},
        change={"address": ["192.168.88.0/24"]},
    ),
    Menu(
        "mikrotik.security.certificate", "certificate",
        properties={
            "name": WORD, "common-name": TEXT, "country": TEXT, "state": TEXT, "locality": TEXT,
            "organization": TEXT, "unit": TEXT, "subject-alt-name": TEXT, "trusted": FLAG,
            "key-size": SIZES, "days-valid": number(1, 36500), "key-usage": USAGES,
            "digest-algorithm": one_of("md5", "sha1", "sha256", "sha384", "sha512"),
        },
        required=("name", "common-name"),
        example={"name": "gate", "common-name": "gate.example.org", "key-size": "2048",
                 "days-valid": 365, "key-usage": ["digital-signature", "tls-server"]},
        change={"subject-alt-name": "DNS:gate.example.org"},
    ),
    ActionFeature(
        "mikrotik.security.certificate_sign", "certificate", action="certificate/sign",
        properties={"number": WORD, "ca": WORD, "ca-crl-host": HOST, "name": WORD},
        required=("number",), names={"certificate": "number"}, example={"number": "gate", "ca": "office"},
    ),
    ActionFeature(
        "mikrotik.security.certificate_import", "certificate", action="certificate/import",
        properties={"file-name": FILE, "name": WORD, "passphrase": {**TEXT, "writeOnly": True}},
        required=("file-name", "passphrase"), example={"file-name": "gate.p12", "passphrase": "correct horse"},
    ),
    ActionFeature(
        "mikrotik.security.certificate_revoke", "certificate", action="certificate/issued-revoke",
        properties={"numbers": FILE}, required=("numbers",), names={"certificate": "numbers"},
        example={"numbers": "gate"},
    ),
    Menu(
        "mikrotik.security.radius_server", "radius",
        properties={**COMMENTED, "address": ADDRESS, "secret": SECRET, "timeout": DURATION,
                    "service": several("ppp", "login", "hotspot", "wireless", "dhcp", "ipsec")},
        required=("address", "secret"),
        example={"address": "192.168.88.9", "secret": "correct horse", "service": ["login"]},
        change={"service": ["login", "ppp"]},
    ),
    Settings(
        "mikrotik.security.radius_incoming", "radius/incoming",
        properties={"accept": FLAG, "port": PORT}, change={"accept": True, "port": 3799},
    ),
    Settings(
        "mikrotik.security.snmp_settings", "snmp",
        properties={"enabled": FLAG, "contact": TEXT, "location": TEXT, "trap-community": WORD},
        aliases=("mikrotik.security.snmp.settings",), change={"location": "Rack 4"},
    ),
    Settings(
        "mikrotik.security.snmp.trap_target", "snmp",
        properties={"trap-target": ADDRESSES, "trap-version": number(1, 3), "trap-community": WORD},
        refused={"address": "RouterOS has one list of targets: send all of them as trap-target."},
        change={"trap-target": ["192.0.2.50"], "trap-version": 2},
    ),
    Menu(
        "mikrotik.security.snmp_community", "snmp/community",
        properties={**COMMUNITY, "security": one_of("none", "authorized", "private")},
        required=("name",), example={"name": "monitoring", "addresses": ["192.0.2.0/24"]},
        change={"addresses": ["198.51.100.0/24"], "read-access": True},
    ),
    Menu(
        "mikrotik.security.snmp.v3_user", "snmp/community", constants={"security": "private"},
        properties=COMMUNITY,
        required=("name", "authentication-password", "encryption-password"),
        example={"name": "watch", "authentication-protocol": "SHA1", "encryption-protocol": "AES",
                 "authentication-password": "correct horse", "encryption-password": "battery staple"},
        change={"addresses": ["192.0.2.0/24"]},
    ),
)  # fmt: skip
