"""Admin of credentials, connections, commands and terminals."""

from controller.connections.admin.commands import BatchAdmin, CommandAdmin
from controller.connections.admin.credentials import CredentialsAdmin
from controller.connections.admin.terminals import TerminalAdmin, terminals_of
from controller.devices.admin.panels import register_panel

register_panel("terminals", terminals_of)

__all__ = ["BatchAdmin", "CommandAdmin", "CredentialsAdmin", "TerminalAdmin"]
