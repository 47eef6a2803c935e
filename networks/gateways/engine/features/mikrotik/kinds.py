"""Kinds of RouterOS features, and properties that many menus share."""

from functools import partial

from networks.gateways.engine.features.feature import Feature
from networks.gateways.engine.features.schemas import FLAG, TEXT

# A list of items; a menu with a single item; items that only the router itself makes.
Menu = partial(Feature, "mikrotik", truth=("false", "true"))
Settings = partial(Menu, noun="settings", operations=("update",))
Fixed = partial(Menu, operations=("update",))
ActionFeature = partial(Feature, "mikrotik", operations=("create",), truth=("false", "true"))
COMMENTED = {"disabled": FLAG, "comment": TEXT}
