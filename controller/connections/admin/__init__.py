"""Admin of credentials, connections and commands."""

from controller.connections.admin.commands import BatchAdmin, CommandAdmin
from controller.connections.admin.credentials import CredentialsAdmin

__all__ = ["BatchAdmin", "CommandAdmin", "CredentialsAdmin"]
