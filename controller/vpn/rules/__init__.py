"""Rules of VPN servers and their clients."""

from controller.vpn.rules.clients import (
    add_clients,
    provision,
    remove_clients,
    reprovision,
    set_clients,
)
from controller.vpn.rules.rendering import download, follow_certificates, poll, rendered
from controller.vpn.rules.server_sync import sync_servers
from controller.vpn.rules.servers import create_vpn, delete_vpn, update_vpn
from controller.vpn.rules.variables import client_config, client_variables, server_variables

__all__ = [
    "add_clients",
    "client_config",
    "client_variables",
    "create_vpn",
    "delete_vpn",
    "download",
    "follow_certificates",
    "poll",
    "provision",
    "remove_clients",
    "rendered",
    "reprovision",
    "server_variables",
    "set_clients",
    "sync_servers",
    "update_vpn",
]
