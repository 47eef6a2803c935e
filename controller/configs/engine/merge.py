"""Merge templates and a device's own configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from typing import Any

from netjsonconfig import OpenWrt
from netjsonconfig.exceptions import ValidationError
from netjsonconfig.utils import merge_config

from controller.configs.engine.errors import InvalidConfig

Json = dict[str, Any]


def merge(templates: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> Json:
    """Merge templates in order, then the device's configuration, by netjsonconfig's rules.

    Later scalars win, objects merge, lists join; list items with the same `name`,
    `config_value` or
    `id` (VLANs: the same type, base and number) merge in place. The result shares nothing
    with the
    arguments. Arguments must come from a JSON parser: netjsonconfig drops an item that is
    the same
    Python object.
    """
    try:
        return deepcopy(layer(fold(templates), config))
    except RecursionError:
        raise InvalidConfig("nested too deep to be merged: flatten it") from None


def fold(templates: Sequence[Mapping[str, Any]]) -> Json:
    if isinstance(templates, Mapping | str) or not isinstance(templates, Sequence):
        raise InvalidConfig("templates must be a list of JSON objects")
    if _is_general_first(templates):
        # The name of a device and the templates of many: these are merged once.
        return layer(dict(templates[0]), _shared(tuple(map(json.dumps, templates[1:]))))
    return _folded(templates)


def _folded(templates: Sequence[Mapping[str, Any]]) -> Json:
    folded: Json = {}
    for template in templates:
        folded = layer(folded, template)
    return folded


def _is_general_first(templates: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the first template can be merged last: it has general settings alone."""
    return (
        len(templates) > 1
        and all(
            isinstance(one, dict) and type(one.get("general", {})) is dict for one in templates
        )
        and templates[0].keys() == {"general"}
        and not any(isinstance(one, dict | list) for one in templates[0]["general"].values())
    )


# Never changed by what merges it: the lower layer is copied.
@lru_cache(maxsize=64)
def _shared(templates: tuple[str, ...]) -> Json:
    return _folded([json.loads(one) for one in templates])


def layer(below: Json, above: Mapping[str, Any]) -> Json:
    """Merge `above` over `below`; neither is modified, the result shares parts of `above`."""
    if not isinstance(above, Mapping):
        raise InvalidConfig(f"expected a JSON object, found {type(above).__name__}")
    identifiers = (
        OpenWrt.list_identifiers_interfaces
        if "interfaces" in above
        else OpenWrt.list_identifiers
    )
    try:
        merged: Json = merge_config(below, above, identifiers)
    except ValidationError as error:
        raise InvalidConfig(error.message) from error
    except TypeError:
        raise InvalidConfig(
            "list items are told apart by name, config_value or id, which must be text"
        ) from None
    return merged
