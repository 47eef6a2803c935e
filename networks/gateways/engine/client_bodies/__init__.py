"""Changes as FreeSDN's web client stages them, in the words of the features.

The client sends lists, numbers and flags as texts, the site of a UniFi console in each body, and
some properties by another name. Whatever is in the feature's own words stays as it is.
"""

from collections.abc import Callable, Mapping
from typing import Any

from networks.gateways.engine.client_bodies import mikrotik, proxmox, unifi
from networks.gateways.engine.features import FEATURES, Feature

Body = dict[str, Any]
Worded = Callable[[Feature, str, Body, str], tuple[Body, str]]
WORDED: Mapping[str, Worded] = {
    "unifi": unifi.in_our_words,
    "mikrotik": mikrotik.in_our_words,
    "proxmox": proxmox.in_our_words,
}
FLAGS = {"true": True, "yes": True, "false": False, "no": False}


def feature_meant(feature: Feature, payload: Mapping[str, Any]) -> Feature:
    """Return the feature that a body means: the client restores guests of both kinds by one."""
    return FEATURES[proxmox.MEANT.get((feature.key, payload.get("vm_type")), feature.key)]


def in_our_words(
    feature: Feature, operation: str, payload: Mapping[str, Any], target: str
) -> tuple[Body, str]:
    """Return payload and target of a change in the words of its feature."""
    body = dict(payload)
    if feature.vendor in WORDED:
        body, target = WORDED[feature.vendor](feature, operation, body, target)
    return {name: _fitted(feature, name, value) for name, value in body.items()}, target


def _fitted(feature: Feature, name: str, value: Any) -> Any:
    """Return a value with the type of its property, where the client sends it as another."""
    kind = feature.properties.get(feature.names.get(name, name), {}).get("type")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if kind == "string" else value
    if not isinstance(value, str):
        return value
    if kind == "array":
        return [one.strip() for one in value.replace("\n", ",").split(",") if one.strip()]
    if kind == "integer" and value.isascii() and value.isdigit():
        return int(value)
    return FLAGS.get(value, value) if kind == "boolean" else value
