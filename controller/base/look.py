"""How the admin looks: name, colors and the navigation, in unfold's words.

An app that brings an admin page adds its line to the navigation here.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.functional import lazy

Shown = Callable[[HttpRequest], bool]


# A page compares each link of the navigation many times, and routes never change.
linked = lazy(lru_cache(maxsize=None)(reverse), str)


def permitted(permission: str) -> Shown:
    """Shows a link to those who may do this somewhere."""

    def shown(request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.is_authenticated and user.has_perm_anywhere(permission))

    return shown


def signed_in(request: HttpRequest) -> bool:
    return request.user.is_authenticated


def superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


def page(title: str, icon: str, view: str, shown: Shown, **more: Any) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": linked(f"admin:{view}"),
        "permission": shown,
    } | more


def device_tab(title: str, query: str) -> dict[str, Any]:
    """A link above the list of devices, marked while the list shows just that."""

    def link(_request: HttpRequest) -> str:
        return f"{reverse('admin:devices_device_changelist')}?{query}".rstrip("?")

    def active(request: HttpRequest) -> bool:
        chosen = {name: request.GET[name] for name in ("show", "config") if name in request.GET}
        return "&".join(f"{name}={value}" for name, value in chosen.items()) == query

    return {"title": title, "link": link, "active": active}


# What every page knows.
CONTEXT_PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
    "csp.context_processors.nonce",
    "controller.notifications.admin.context_processors.unread",
    "controller.accounts.admin.saved_filters.saved_filters",
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Muster",
    "SITE_HEADER": "Muster",
    "SITE_SUBHEADER": "Device controller",
    "SITE_SYMBOL": "hub",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _request: static("portal/favicon.svg"),
        }
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "DASHBOARD_CALLBACK": "controller.configs.admin.dashboard.dashboard",
    "COLORS": {
        # Hue 225; 600 on white and 400 on the dark background both have a contrast above 4.5.
        "primary": {
            "50": "oklch(97.5% .013 225)",
            "100": "oklch(94.8% .028 225)",
            "200": "oklch(89.5% .058 225)",
            "300": "oklch(82% .098 225)",
            "400": "oklch(73.5% .125 225)",
            "500": "oklch(62% .125 225)",
            "600": "oklch(51% .108 227)",
            "700": "oklch(44.5% .094 229)",
            "800": "oklch(39% .08 231)",
            "900": "oklch(34.5% .068 233)",
            "950": "oklch(26% .052 235)",
        },
    },
    "COMMAND": {
        # unfold's own search brings every match of every model.
        "search_callback": "controller.base.admin.search_results",
        "show_history": False,
    },
    "TABS": [
        {
            "models": ["devices.device"],
            "items": [
                device_tab("All", ""),
                device_tab("Problems", "show=problems"),
                device_tab("Modified", "config=modified"),
                device_tab("Drifted", "show=drifted"),
                device_tab("Out of service", "show=deactivated"),
            ],
        },
        {
            "models": [
                "supervisor_proxy.supervisor", "supervisor_proxy.supervisorcall",
                "supervisor_proxy.supervisorbatch", "supervisor_proxy.updatecampaign",
                "supervisor_proxy.home", "supervisor_proxy.homealert",
                "supervisor_proxy.backupplan", "supervisor_proxy.storedbackup",
            ],
            "items": [
                {"title": "Supervisors", "link": linked("admin:supervisor_proxy_supervisor_changelist")},
                {"title": "Each call", "link": linked("admin:supervisor_proxy_supervisorcall_changelist")},
                {"title": "On many devices", "link": linked("admin:supervisor_proxy_supervisorbatch_changelist")},
                {"title": "Home Assistant", "link": linked("admin:supervisor_proxy_home_changelist")},
                {"title": "Add-ons", "link": linked("admin:home_matrix")},
                {"title": "Troubles", "link": linked("admin:supervisor_proxy_homealert_changelist")},
                {"title": "Backup plans", "link": linked("admin:supervisor_proxy_backupplan_changelist")},
                {"title": "Backups", "link": linked("admin:supervisor_proxy_storedbackup_changelist")},
                {"title": "Update campaigns", "link": linked("admin:supervisor_proxy_updatecampaign_changelist")},
            ],
        },
        {
            "models": ["notifications.webhook", "notifications.delivery"],
            "items": [
                {"title": "Webhooks", "link": linked("admin:notifications_webhook_changelist")},
                {"title": "Messages", "link": linked("admin:notifications_delivery_changelist")},
            ],
        },
        {
            "models": ["connections.command", "connections.commandbatch", "configs.devicebatch"],
            "items": [
                {"title": "Each command", "link": linked("admin:connections_command_changelist")},
                {"title": "On many devices", "link": linked("admin:connections_commandbatch_changelist")},
                {"title": "Changes of many devices", "link": linked("admin:configs_devicebatch_changelist")},
            ],
        },
    ],
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Monitor",
                "items": [
                    page("Dashboard", "space_dashboard", "index", signed_in, key="h"),
                    page("Notifications", "notifications", "notifications_notification_changelist", signed_in, key="n"),
                    page("Webhooks", "webhook", "notifications_webhook_changelist", permitted("webhook:read")),
                ],
            },
            {
                "title": "Fleet",
                "items": [
                    page("Devices", "router", "devices_device_changelist", permitted("device:read"), key="d"),
                    page("Asking to be added", "how_to_reg", "devices_enrollment_changelist", permitted("device:create")),
                    page("Commands", "terminal", "connections_command_changelist", permitted("command:read")),
                    page("Supervisors", "developer_board", "supervisor_proxy_supervisor_changelist", permitted("supervisor:read")),
                    page("Terminals", "keyboard_command_key", "supervisor_proxy_terminal_changelist", permitted("terminal:read")),
                    page("Groups", "workspaces", "devices_devicegroup_changelist", permitted("group:read")),
                    page("Locations", "location_on", "geo_location_changelist", permitted("location:read")),
                    page("Floor plans", "floor", "geo_floorplan_changelist", permitted("floorplan:read")),
                ],
            },
            {
                "title": "Configuration",
                "items": [
                    page("Templates", "description", "configs_template_changelist", permitted("template:read"), key="t"),
                    page("Rollouts", "moving", "configs_rollout_changelist", permitted("template:read")),
                    page("Credentials", "key", "connections_credentials_changelist", permitted("connection:read")),
                ],
            },
            {
                "title": "Certificates",
                "items": [
                    page("Authorities", "account_balance", "pki_ca_changelist", permitted("ca:read")),
                    page("Certificates", "verified_user", "pki_cert_changelist", permitted("cert:read"), key="c"),
                ],
            },
            {
                "title": "Networks",
                "items": [
                    page("Overlay networks", "hub", "networks_network_changelist", signed_in, key="w"),
                    page("Overlay devices", "lan", "networks_node_changelist", signed_in),
                    page("Gateways", "router", "networks_gateway_changelist", permitted("gateway:read"), key="y"),
                    page("Changes of gateways", "rule", "networks_change_changelist", permitted("network:read")),
                    page("Sets of changes", "checklist", "networks_changeset_changelist", permitted("network:read")),
                    page("Discovery", "radar", "discovery_scan_changelist", permitted("discovery:run")),
                    page("VPN servers", "vpn_lock", "vpn_vpn_changelist", permitted("vpn:read")),
                    page("Subnets", "lan", "networks_subnet_changelist", permitted("subnet:read")),
                    page("IP addresses", "pin", "networks_ipaddress_changelist", permitted("address:read")),
                ],
            },
            {
                "title": "Access",
                "items": [
                    page("Organizations", "domain", "accounts_organization_changelist", permitted("organization:read")),
                    page("Sites", "apartment", "accounts_site_changelist", permitted("site:read")),
                    page("Users", "group", "accounts_user_changelist", superuser),
                    page("Audit", "policy", "accounts_auditentry_changelist", permitted("audit:read")),
                    page("API keys", "key_vertical", "accounts_apikey_changelist", signed_in),
                    page("Sessions", "devices", "accounts_session_changelist", signed_in),
                    page("Second factor", "phonelink_lock", "second_factor", signed_in),
                    page("Saved filters", "filter_list", "accounts_savedfilter_changelist", signed_in),
                    page("API tokens", "token", "accounts_apitoken_changelist", signed_in),
                ],
            },
        ],
    },
}  # fmt: skip

# What an empty list tells whoever comes first, by model.
# fmt: off
HINTS = {
    "devices.device": "Let devices register themselves with the shared secret of an organization, add one by hand, or import a table.",
    "devices.devicegroup": "A group gives its devices the same templates and variables.",
    "devices.enrollment": "Devices that ask with a key of their own wait here, where an organization permits that.",
    "configs.template": "A template is a piece of configuration that many devices have in common. Start with one for all: time zone, DNS, NTP.",
    "configs.rollout": "A rollout brings a template's new version to a few devices first. Begin one on the template's page.",
    "connections.credentials": "With a user and a key or password the portal reaches devices over SSH.",
    "connections.commandbatch": "Select devices in their list, and run a command on all of them.",
    "configs.devicebatch": "Select devices in their list, and choose what to do to all of them: it is shown before it is done.",
    "connections.command": "Commands are sent from a device's page, or to many from the list of devices.",
    "supervisor_proxy.supervisor": "A balena or Home Assistant supervisor is called through the portal: add its device's address and key.",
    "supervisor_proxy.home": "Home Assistant devices appear here once their supervisor is added, and are looked at every five minutes.",
    "supervisor_proxy.homealert": "No device complains, and no add-on has failed.",
    "supervisor_proxy.backupplan": "A plan backs up all Home Assistant devices of an organization, or of a group, and keeps the newest here.",
    "supervisor_proxy.storedbackup": "Backups are made by plans: add one, and the first are made within a minute.",
    "supervisor_proxy.updatecampaign": "Select Home Assistant devices in their list, and update them in waves.",
    "supervisor_proxy.supervisorbatch": "Select supervisors in their list, and call all of them at once.",
    "supervisor_proxy.supervisorcall": "Calls are made on a device's page, from the list of supervisors, and over the API.",
    "supervisor_proxy.terminal": "Terminals are opened on a device's page.",
    "geo.location": "Put devices on the map: add a location by hand, or import a table.",
    "geo.floorplan": "A picture of a floor, on which devices are arranged. Its location is an indoor one.",
    "pki.ca": "An authority signs the certificates of devices and VPN servers. Make one here, or import one.",
    "pki.cert": "Certificates are made here, by VPN templates, and by devices over ACME and EST. An authority comes first.",
    "networks.network": "Members of an overlay network reach each other wherever they are. Make one, and join devices with its code.",
    "networks.node": "Devices appear here when they join an overlay network with a code.",
    "networks.gateway": "A vendor's gateway is changed in steps that are reviewed first. Add its address and API key.",
    "networks.change": "Changes of gateways are staged on a gateway's page or over the API, and wait here for approval.",
    "networks.changeset": "A set applies several changes in order, all or none. Make one of changes that wait in their list.",
    "networks.ipaddress": "Addresses are handed out to VPN clients and devices by subnets, and can be reserved here.",
    "discovery.scan": "A scan looks for devices in your networks, and takes those in that you choose.",
    "networks.subnet": "A subnet hands out addresses to VPN clients and devices.",
    "vpn.vpn": "A VPN server's clients are made by templates: each device gets its certificate or key, and an address.",
    "accounts.site": "A site groups devices and people within an organization.",
    "accounts.apitoken": "A program signs in with a token. It is shown once.",
    "accounts.savedfilter": "Filter, search or sort any list, and save that under a name above it.",
    "accounts.apikey": "A key does less than you may: name the permissions that it is for.",
    "notifications.notification": "Nothing has happened that you need to know of.",
    "notifications.webhook": "A program is told of what happens: add its https:// address.",
    "notifications.delivery": "Nothing has been sent to a webhook yet.",
    "accounts.auditentry": "Nobody has changed anything yet.",
    "accounts.session": "Programs that sign in over the API appear here.",
    "notifications.mute": "You are told of everything. Devices are muted in the list of notifications.",
}
