"""Catalog of what can be changed on gateways: one entry per vendor feature.

URLs, permissions, risks, schemas and API calls are derived from these entries. A new vendor
needs such entries and a driver that makes the calls.
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
