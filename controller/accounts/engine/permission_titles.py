"""Titles of permissions for people: ``firewall:write`` is "Change firewalls"."""

from collections.abc import Mapping

from controller.accounts.engine.scopes import RESOURCES

NAMES: Mapping[str, str] = {
    "*": "everything", "address": "IP addresses", "audit": "the audit log", "ca": "certificate authorities",
    "cert": "certificates", "command": "commands", "config": "configurations",
    "connection": "connections", "credentials": "credentials", "controller": "gateway systems", "device": "devices",
    "filter": "saved filters", "firewall": "firewalls", "floorplan": "floor plans",
    "group": "device groups", "hypervisor": "virtual machines", "monitoring": "monitoring",
    "network": "networks", "usergroup": "user groups", "vpn": "VPNs",
}  # fmt: skip
VERBS: Mapping[str, str] = {
    "read": "View", "create": "Add", "update": "Change", "delete": "Delete", "write": "Change",
    "secret": "View secrets of", "run": "Run", "open": "Open", "replay": "Replay",
    "close": "Close", "share": "Share", "*": "Do everything with",
}  # fmt: skip
WHOLE: Mapping[str, str] = {
    "*:*": "Everything", "*:read": "View everything", "command:create": "Run commands",
    "discovery:run": "Run discovery", "firmware:upgrade": "Upgrade firmware",
    "discovery:read": "View discovery", "discovery:write": "Adopt discovered devices",
    "supervisor:act": "Call supervisors", "supervisor:power": "Reboot and shut down",
    "supervisor:purge": "Purge data of applications", "supervisor:rotate": "Rotate supervisor keys",
    "supervisor:force": "Ignore update locks", "supervisor:terminal": "Use supervisor terminals",
    "supervisor:logs": "View supervisor logs", "supervisor:backup": "Create and restore backups",
    "supervisor:download": "Download backups", "supervisor:manage": "Manage supervisors",
    "supervisor:remote": "Open the web page of devices",
}  # fmt: skip


def permission_title(permission: str) -> str:
    if known := WHOLE.get(permission):
        return known
    resource, _, action = permission.partition(":")
    name = NAMES.get(resource) or f"{resource}s"
    return f"{VERBS.get(action, action.capitalize())} {name}"


def titles() -> list[str]:
    """Return the title of every permission."""
    named = (
        f"{resource}:{action}" for resource, actions in RESOURCES.items() for action in actions
    )
    return [*WHOLE.values(), *map(permission_title, named)]
