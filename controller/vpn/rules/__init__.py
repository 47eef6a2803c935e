"""What may be done with VPN servers and their clients."""

from controller.vpn.rules.clients import (
    join,
    leave,
    provision,
    reprovision,
    settle,
)
from controller.vpn.rules.rendering import download, follow_certificates, poll, rendered
from controller.vpn.rules.servers import create_vpn, delete_vpn, update_vpn
from controller.vpn.rules.telling import tell_servers
from controller.vpn.rules.variables import client_config, client_variables, server_variables

__all__ = [
    "client_config",
    "client_variables",
    "create_vpn",
    "delete_vpn",
    "download",
    "follow_certificates",
    "join",
    "leave",
    "poll",
    "provision",
    "rendered",
    "reprovision",
    "server_variables",
    "settle",
    "tell_servers",
    "update_vpn",
]
