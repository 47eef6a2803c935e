"""Kinds of UniFi features, and what many of them share."""

from collections.abc import Sequence
from functools import partial

from networks.gateways.engine.features.feature import Feature
from networks.gateways.engine.features.schemas import UUID

Kind = partial(Feature, "unifi")
ActionFeature = partial(Kind, operations=("create",))
# By its API: the official one, tables of the older one, its newer part, and devices' own settings.
Official, Table, Newer, OfDevice = (
    partial(Kind, noun=one) for one in ("v1", "rest", "v2", "device")
)
ID = {"type": "string", "pattern": r"^[0-9a-f]{24}$"}
IDS = {"type": "array", "items": ID, "maxItems": 64}
UUIDS = {"type": "array", "items": UUID, "maxItems": 64}


def verbs(stem: str, thing: str = "") -> Sequence[str]:
    """Return FreeSDN's keys for creating, updating and deleting."""
    end = f"_{thing}" if thing else ""
    return tuple(f"unifi.{stem}.{verb}{end}" for verb in ("create", "update", "delete"))
