"""Features of UniFi Network, by its official integration API or its older one.

``noun`` selects the API: ``v1`` the official one, ``rest`` the older one's tables, ``v2``
its newer part, ``device`` the settings of a device. FreeSDN's keys contain the operation; they are
aliases here.
"""

from networks.gateways.engine.features.unifi.devices import DEVICES
from networks.gateways.engine.features.unifi.network import NETWORKS

UNIFI = (*NETWORKS, *DEVICES)

__all__ = ["UNIFI"]
