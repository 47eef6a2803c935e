"""VPN servers for people."""

from controller.vpn.admin.servers import VpnAdmin

__all__ = ["VpnAdmin"]
