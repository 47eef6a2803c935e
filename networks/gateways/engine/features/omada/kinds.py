"""Kinds of Omada features, and what many of them share.

``noun`` is the name of the id, where that is not ``id``.
"""

from functools import partial

from networks.gateways.engine.features.feature import Feature
from networks.gateways.engine.features.schemas import TEXT, WORD

Kind = partial(Feature, "omada")
# What a site has one of.
Settings = partial(Kind, noun="settings", operations=("update",))
ActionFeature = partial(Kind, operations=("create",))
# Omada writes MAC addresses with dashes.
MAC = {"type": "string", "pattern": r"^([0-9A-F]{2}-){5}[0-9A-F]{2}$", "compare": "mac"}
MACS = {"type": "array", "items": MAC, "maxItems": 256}
WORDS = {"type": "array", "items": WORD, "maxItems": 64}
PASSWORD = {**TEXT, "writeOnly": True, "minLength": 1}
