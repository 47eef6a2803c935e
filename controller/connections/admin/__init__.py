"""How devices are reached, and what was done on them."""

from controller.connections.admin.commands import BatchAdmin, CommandAdmin
from controller.connections.admin.credentials import CredentialsAdmin

__all__ = ["BatchAdmin", "CommandAdmin", "CredentialsAdmin"]
