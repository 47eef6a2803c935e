"""Features of OPNsense's REST API."""

from networks.gateways.engine.features.opnsense.network import NETWORKING
from networks.gateways.engine.features.opnsense.services import SERVICES

OPNSENSE = (*NETWORKING, *SERVICES)

__all__ = ["OPNSENSE"]
