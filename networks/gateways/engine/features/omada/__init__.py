"""Features of TP-Link Omada's Open API on a site.

Their keys have no vendor prefix.
"""

from networks.gateways.engine.features.omada.network import NETWORKING
from networks.gateways.engine.features.omada.profiles import PROFILES
from networks.gateways.engine.features.omada.site import SITE
from networks.gateways.engine.features.omada.switches import SWITCHES

OMADA = (*NETWORKING, *PROFILES, *SITE, *SWITCHES)

__all__ = ["OMADA"]
