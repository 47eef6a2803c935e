"""How devices are reached."""

from controller.connections.admin.credentials import CredentialsAdmin

__all__ = ["CredentialsAdmin"]
