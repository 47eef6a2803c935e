"""Features of MikroTik RouterOS 7 (and 6 by its binary API).

``path`` is the menu. Values are texts as the router prints them.
"""

from networks.gateways.engine.features.mikrotik.access import ACCESS
from networks.gateways.engine.features.mikrotik.network import NETWORKING
from networks.gateways.engine.features.mikrotik.routing import ROUTING
from networks.gateways.engine.features.mikrotik.security import SECURITY
from networks.gateways.engine.features.mikrotik.system import SYSTEM
from networks.gateways.engine.features.mikrotik.wireless import WIRELESS

MIKROTIK = (*NETWORKING, *ROUTING, *ACCESS, *WIRELESS, *SECURITY, *SYSTEM)

__all__ = ["MIKROTIK"]
