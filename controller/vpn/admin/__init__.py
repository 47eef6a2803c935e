"""Admin of VPN servers."""

from controller.vpn.admin.servers import VpnAdmin

__all__ = ["VpnAdmin"]
