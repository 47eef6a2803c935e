"""RouterOS: how users get in: PPP, PPPoE and the hotspot."""

from networks.gateways.engine.features.mikrotik.kinds import COMMENTED, Menu
from networks.gateways.engine.features.schemas import (
    ADDRESS,
    ADDRESSES,
    DURATION,
    FLAG,
    HOST,
    NETWORK,
    PORTS,
    SECRET,
    TEXT,
    WHERE,
    WORD,
    number,
    one_of,
    several,
)

AUTHENTICATION = several("pap", "chap", "mschap1", "mschap2")
MTU = {"type": ["string", "integer"], "pattern": r"^(auto|\d{3,5})$"}
CHOICE = one_of("default", "no", "yes")
STRONG = one_of("default", "no", "required", "yes")
LIMIT = {"type": "string", "pattern": r"^[0-9kMG/ ]{0,64}$"}

ACCESS = (
    Menu(
        "mikrotik.ppp.secret", "ppp/secret",
        properties={
            **COMMENTED, "name": WORD, "password": SECRET, "profile": WORD,
            "service": one_of("any", "l2tp", "ovpn", "pppoe", "pptp", "sstp"),
            "remote-address": ADDRESS,
        },
        required=("name", "password"),
        example={"name": "anna", "password": "correct horse", "service": "l2tp"},
        change={"remote-address": "10.8.0.5"},
    ),
    Menu(
        "mikrotik.ppp.profile", "ppp/profile",
        properties={
            "comment": TEXT, "name": WORD, "local-address": WHERE, "remote-address": WHERE,
            "dns-server": ADDRESSES, "bridge": WORD, "address-list": WORD, "rate-limit": LIMIT,
            "session-timeout": DURATION, "idle-timeout": DURATION, "only-one": CHOICE,
            "change-tcp-mss": CHOICE, "use-encryption": STRONG,
        },
        required=("name",),
        example={"name": "customers", "local-address": "10.8.0.1", "remote-address": "customers",
                 "use-encryption": "required"},
        change={"rate-limit": "10M/50M", "only-one": "yes"},
    ),
    Menu(
        "mikrotik.ppp.pppoe_server", "interface/pppoe-server/server",
        properties={
            **COMMENTED, "service-name": WORD, "interface": WHERE, "default-profile": WORD,
            "authentication": AUTHENTICATION, "one-session-per-host": FLAG, "max-mtu": MTU,
            "max-mru": MTU, "keepalive-timeout": {"type": ["string", "integer"], "pattern": r"^(disabled|\d{1,5})$"},
        },
        required=("interface",),
        example={"service-name": "customers", "interface": "ether3", "default-profile": "customers",
                 "authentication": ["mschap2"]},
        change={"one-session-per-host": True, "max-mtu": "1480"},
    ),
    Menu(
        "mikrotik.ppp.pppoe_client", "interface/pppoe-client",
        properties={
            **COMMENTED, "name": WORD, "interface": WHERE, "user": TEXT, "password": SECRET,
            "profile": WORD, "service-name": WORD, "ac-name": WORD, "add-default-route": FLAG,
            "default-route-distance": number(0, 255), "use-peer-dns": FLAG, "dial-on-demand": FLAG,
            "allow": AUTHENTICATION, "max-mtu": MTU, "max-mru": MTU,
        },
        required=("name", "interface", "user"),
        example={"name": "provider", "interface": "ether1", "user": "line7@example.org",
                 "password": "correct horse", "add-default-route": True},
        change={"use-peer-dns": True, "default-route-distance": 2},
    ),
    Menu(
        "mikrotik.hotspot.server", "ip/hotspot",
        properties={
            "disabled": FLAG, "name": WORD, "interface": WHERE, "address-pool": WORD,
            "profile": WORD, "idle-timeout": DURATION, "keepalive-timeout": DURATION,
            "addresses-per-mac": {"type": ["string", "integer"], "pattern": r"^(unlimited|\d{1,5})$"},
        },
        required=("name", "interface"),
        refused={"comment": "RouterOS keeps no comment of a hotspot server."},
        example={"name": "guests", "interface": "bridge", "address-pool": "guests"},
        change={"idle-timeout": "10m"},
    ),
    Menu(
        "mikrotik.hotspot.profile", "ip/hotspot/profile",
        properties={
            "name": WORD, "hotspot-address": ADDRESS, "dns-name": HOST, "html-directory": WORD,
            "login-by": several("mac", "cookie", "http-chap", "https", "http-pap", "trial", "mac-cookie"),
            "use-radius": FLAG, "radius-accounting": FLAG, "rate-limit": LIMIT,
            "ssl-certificate": WORD, "trial-uptime-limit": DURATION,
        },
        required=("name",),
        example={"name": "lobby", "hotspot-address": "192.168.3.1", "login-by": ["http-chap"]},
        change={"use-radius": True, "login-by": ["cookie", "http-chap"]},
    ),
    Menu(
        "mikrotik.hotspot.user", "ip/hotspot/user",
        properties={**COMMENTED, "name": WORD, "password": SECRET, "profile": WORD,
                    "limit-uptime": DURATION},
        required=("name",), example={"name": "guest7", "password": "correct horse"},
        change={"limit-uptime": "1h"},
    ),
    Menu(
        "mikrotik.hotspot.user_profile", "ip/hotspot/user/profile",
        properties={
            "name": WORD, "address-pool": WORD, "rate-limit": LIMIT, "session-timeout": DURATION,
            "idle-timeout": DURATION, "shared-users": {"type": ["string", "integer"], "pattern": r"^(unlimited|\d{1,5})$"},
            "add-mac-cookie": FLAG, "mac-cookie-timeout": DURATION, "transparent-proxy": FLAG,
        },
        required=("name",), example={"name": "visitors", "rate-limit": "2M/10M", "shared-users": 1},
        change={"session-timeout": "8h"},
    ),
    Menu(
        "mikrotik.hotspot.walled_garden", "ip/hotspot/walled-garden", is_ordered=True,
        properties={
            **COMMENTED, "action": one_of("allow", "deny"), "dst-host": HOST, "dst-port": PORTS,
            "path": TEXT, "server": WORD, "src-address": NETWORK,
            "method": one_of("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE"),
        },
        required=("action",), example={"action": "allow", "dst-host": "*.example.org"},
        change={"comment": "Payment page"},
    ),
)  # fmt: skip
