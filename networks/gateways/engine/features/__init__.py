"""What can be changed on gateways: one entry for each vendor's feature, and nothing else.

URLs, permissions, risks, schemas and the calls that are made follow from these entries. A
vendor is added by entries like these and by a driver that makes the calls.
"""

from networks.gateways.engine.features.feature import (
    CATASTROPHIC_ROLE,
    MASK,
    Feature,
    permission_of,
)
from networks.gateways.engine.features.opnsense import OPNSENSE
from networks.gateways.engine.features.registry import ALL, AREAS, FEATURES, VENDORS

__all__ = [
    "ALL", "AREAS", "CATASTROPHIC_ROLE", "FEATURES", "MASK", "OPNSENSE", "VENDORS", "Feature",
    "permission_of",
]  # fmt: skip
