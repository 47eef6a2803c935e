"""Navigation of the admin: the menu, and the tabs above lists.

An app that adds an admin page adds its line here.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise, lazy
from django.utils.translation import gettext_lazy as _

Shown = Callable[[HttpRequest], bool]


# unfold compares each link of the navigation many times on a page, and routes never change.
linked = lazy(lru_cache(maxsize=None)(reverse), str)


def permitted(permission: str) -> Shown:
    """Return a check that shows a link to users who have the permission in any organization."""

    def shown(request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.is_authenticated and user.has_perm_anywhere(permission))

    return shown


def signed_in(request: HttpRequest) -> bool:
    return request.user.is_authenticated


def superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


def page(
    title: str | Promise, icon: str, view: str, shown: Shown, **more: Any
) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": linked(f"admin:{view}"),
        "permission": shown,
    } | more


def device_tab(title: str | Promise, query: str) -> dict[str, Any]:
    """Return a tab above the list of devices, active while the list has this filter."""

    def link(_request: HttpRequest) -> str:
        return f"{reverse('admin:devices_device_changelist')}?{query}".rstrip("?")

    def active(request: HttpRequest) -> bool:
        chosen = {name: request.GET[name] for name in ("show", "config") if name in request.GET}
        return "&".join(f"{name}={value}" for name, value in chosen.items()) == query

    return {"title": title, "link": link, "active": active}


TABS: list[dict[str, Any]] = [
    {
        "models": ["devices.device"],
        "items": [
            device_tab(_("All"), ""),
            device_tab(_("Problems"), "show=problems"),
            device_tab(_("Modified"), "config=modified"),
            device_tab(_("Drifted"), "show=drifted"),
            device_tab(_("Deactivated"), "show=deactivated"),
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
            {"title": _("Supervisors"), "link": linked("admin:supervisor_proxy_supervisor_changelist")},
            {"title": _("Supervisor calls"), "link": linked("admin:supervisor_proxy_supervisorcall_changelist")},
            {"title": _("Batch calls"), "link": linked("admin:supervisor_proxy_supervisorbatch_changelist")},
            {"title": _("Home Assistant devices"), "link": linked("admin:supervisor_proxy_home_changelist")},
            {"title": _("Add-on matrix"), "link": linked("admin:home_matrix")},
            {"title": _("Home Assistant alerts"), "link": linked("admin:supervisor_proxy_homealert_changelist")},
            {"title": _("Backup plans"), "link": linked("admin:supervisor_proxy_backupplan_changelist")},
            {"title": _("Backups"), "link": linked("admin:supervisor_proxy_storedbackup_changelist")},
            {"title": _("Update campaigns"), "link": linked("admin:supervisor_proxy_updatecampaign_changelist")},
        ],
    },
    {
        "models": [
            "firmware.category", "firmware.build", "firmware.image", "firmware.firmwarerollout",
            "firmware.upgrade", "firmware.firmwarepolicy", "firmware.trustedkey",
            "firmware.gatewayrollout", "firmware.imagerequest",
        ],
        "items": [
            {"title": _("Builds"), "link": linked("admin:firmware_build_changelist")},
            {"title": _("Images"), "link": linked("admin:firmware_image_changelist")},
            {"title": _("Custom images"), "link": linked("admin:firmware_imagerequest_changelist")},
            {"title": _("Categories"), "link": linked("admin:firmware_category_changelist")},
            {"title": _("All rollouts"), "link": linked("admin:firmware_all_rollouts")},
            {"title": _("Firmware rollouts"), "link": linked("admin:firmware_firmwarerollout_changelist")},
            {"title": _("Gateway rollouts"), "link": linked("admin:firmware_gatewayrollout_changelist")},
            {"title": _("Upgrades"), "link": linked("admin:firmware_upgrade_changelist")},
            {"title": _("Firmware policies"), "link": linked("admin:firmware_firmwarepolicy_changelist")},
            {"title": _("Firmware keys"), "link": linked("admin:firmware_trustedkey_changelist")},
        ],
    },
    {
        "models": ["networks.gatewaybackup", "networks.gatewaybackuppolicy"],
        "items": [
            {"title": _("Gateway backups"), "link": linked("admin:networks_gatewaybackup_changelist")},
            {"title": _("Gateway backup policies"), "link": linked("admin:networks_gatewaybackuppolicy_changelist")},
        ],
    },
    {
        "models": ["notifications.webhook", "notifications.delivery"],
        "items": [
            {"title": _("Webhooks"), "link": linked("admin:notifications_webhook_changelist")},
            {"title": _("Deliveries"), "link": linked("admin:notifications_delivery_changelist")},
        ],
    },
    {
        "models": ["connections.command", "connections.commandbatch", "configs.devicebatch"],
        "items": [
            {"title": _("Commands"), "link": linked("admin:connections_command_changelist")},
            {"title": _("Batch commands"), "link": linked("admin:connections_commandbatch_changelist")},
            {"title": _("Bulk changes"), "link": linked("admin:configs_devicebatch_changelist")},
        ],
    },
]  # fmt: skip

SIDEBAR: dict[str, Any] = {
    "show_search": True,
    "command_search": True,
    "show_all_applications": False,
    "navigation": [
        {
            "title": _("Monitor"),
            "items": [
                page(_("Dashboard"), "space_dashboard", "index", signed_in, key="h"),
                page(_("Notifications"), "notifications", "notifications_notification_changelist", signed_in, key="n"),
                page(_("Topology"), "lan", "topology", permitted("monitoring:read")),
                page(_("Checks"), "fact_check", "monitoring_check_changelist", permitted("monitoring:read")),
                page(_("Limits"), "tune", "monitoring_threshold_changelist", permitted("monitoring:read")),
                page(_("Silences"), "notifications_paused", "monitoring_silence_changelist", permitted("monitoring:read")),
                page(_("Measured gateways"), "speed", "monitoring_monitoredgateway_changelist", permitted("monitoring:read")),
                page(_("Wi-Fi sessions"), "wifi", "monitoring_wifisession_changelist", permitted("monitoring:read")),
                page(_("Webhooks"), "webhook", "notifications_webhook_changelist", permitted("webhook:read")),
            ],
        },
        {
            "title": _("Fleet"),
            "items": [
                page(_("Devices"), "router", "devices_device_changelist", permitted("device:read"), key="d"),
                page(_("Pending devices"), "how_to_reg", "devices_enrollment_changelist", permitted("device:create")),
                page(_("Commands"), "terminal", "connections_command_changelist", permitted("command:read")),
                page(_("Supervisors"), "developer_board", "supervisor_proxy_supervisor_changelist", permitted("supervisor:read")),
                page(_("Terminals"), "keyboard_command_key", "connections_terminal_changelist", permitted("terminal:read")),
                page(_("Device groups"), "workspaces", "devices_devicegroup_changelist", permitted("group:read")),
                page(_("Locations"), "location_on", "geo_location_changelist", permitted("location:read")),
                page(_("Floor plans"), "floor", "geo_floorplan_changelist", permitted("floorplan:read")),
            ],
        },
        {
            "title": _("Configuration"),
            "items": [
                page(_("Templates"), "description", "configs_template_changelist", permitted("template:read"), key="t"),
                page(_("Rollouts"), "moving", "configs_rollout_changelist", permitted("template:read")),
                page(_("Credentials"), "key", "connections_credentials_changelist", permitted("connection:read")),
            ],
        },
        {
            "title": _("Firmware"),
            "items": [
                page(_("Builds"), "system_update", "firmware_build_changelist", permitted("firmware:read")),
                page(_("Firmware rollouts"), "moving", "firmware_firmwarerollout_changelist", permitted("firmware:read")),
                page(_("Upgrades"), "upgrade", "firmware_upgrade_changelist", permitted("firmware:read")),
            ],
        },
        {
            "title": _("Certificates"),
            "items": [
                page(_("Certificate authorities"), "account_balance", "pki_ca_changelist", permitted("ca:read")),
                page(_("Certificates"), "verified_user", "pki_cert_changelist", permitted("cert:read"), key="c"),
            ],
        },
        {
            "title": _("Networks"),
            "items": [
                page(_("Overlay networks"), "hub", "networks_network_changelist", signed_in, key="w"),
                page(_("Overlay devices"), "lan", "networks_node_changelist", signed_in),
                page(_("Gateways"), "router", "networks_gateway_changelist", permitted("gateway:read"), key="y"),
                page(_("Gateway changes"), "rule", "networks_change_changelist", permitted("network:read")),
                page(_("Change sets"), "checklist", "networks_changeset_changelist", permitted("network:read")),
                page(_("Gateway backups"), "settings_backup_restore", "networks_gatewaybackup_changelist", permitted("gateway:read")),
                page(_("Discovery scans"), "radar", "discovery_scan_changelist", permitted("discovery:run")),
                page(_("VPN servers"), "vpn_lock", "vpn_vpn_changelist", permitted("vpn:read")),
                page(_("Subnets"), "lan", "networks_subnet_changelist", permitted("subnet:read")),
                page(_("IP addresses"), "pin", "networks_ipaddress_changelist", permitted("address:read")),
            ],
        },
        {
            "title": _("Access"),
            "items": [
                page(_("Organizations"), "domain", "accounts_organization_changelist", permitted("organization:read")),
                page(_("Sites"), "apartment", "accounts_site_changelist", permitted("site:read")),
                page(_("Users"), "group", "accounts_user_changelist", superuser),
                page(_("Audit log"), "policy", "accounts_auditentry_changelist", permitted("audit:read")),
                page(_("API keys"), "key_vertical", "accounts_apikey_changelist", signed_in),
                page(_("Sessions"), "devices", "accounts_session_changelist", signed_in),
                page(_("Second factor"), "phonelink_lock", "second_factor", signed_in),
                page(_("Saved filters"), "filter_list", "accounts_savedfilter_changelist", signed_in),
                page(_("API tokens"), "token", "accounts_apitoken_changelist", signed_in),
            ],
        },
    ],
}  # fmt: skip
