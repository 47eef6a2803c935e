"""Variables: layers, usage and substitution."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from controller.configs.engine.errors import InvalidConfig

# Matches the same as netjsonconfig.utils.var_pattern, but possessively: a long run of spaces after
# two braces would otherwise take quadratic time.
VARIABLE = re.compile(r"\{\{\s*+(\w*+)\s*+\}\}")
MAX_DEPTH = 40
MAX_TEXT = 8 * 1024 * 1024
MAX_PLACES = 10_000
# Of all texts of a configuration together, once variables are in them; routers have less.
MAX_CONFIGURATION = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Variable:
    """Value of a variable, and the name of its layer."""

    value: str = field(repr=False)
    origin: str


def resolve(layers: Sequence[tuple[str, Mapping[str, str]]]) -> dict[str, Variable]:
    """Resolve variables from `layers`, ordered from lowest to highest precedence."""
    return {
        name: Variable(value, origin)
        for origin, values in layers
        for name, value in values.items()
    }


def used(config: object) -> set[str]:
    """Return names written as `{{ name }}` in the strings of `config` (not in keys)."""
    return {name for text in _texts(config) for name in VARIABLE.findall(text) if name}


def undefined(config: object, context: Mapping[str, object]) -> list[str]:
    """Return the sorted names that `config` uses and `context` does not define."""
    return sorted(used(config) - context.keys())


def substitute(data: Any, context: Mapping[str, object]) -> Any:
    """Return a copy of JSON `data` with variables in strings replaced.

    Values are replacement templates of `re.sub`, as in netjsonconfig: backslashes are
    doubled.
    Raises InvalidConfig for data that is not JSON, nested too deep, or unreadable by
    devices.
    """
    return _copy(data, _Values(context), 0)


class _Values(dict[str, object]):
    """Values of variables, and how much text may still be made with them."""

    left = MAX_CONFIGURATION

    def spend(self, text: str) -> str:
        self.left -= len(text)
        if self.left < 0:
            raise InvalidConfig(
                f"its texts come to more than {MAX_CONFIGURATION >> 20} MiB with their variables"
            )
        return text


def _texts(data: object) -> Iterator[str]:
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)


def _copy(data: Any, context: _Values, depth: int) -> Any:
    if isinstance(data, str):
        return _readable(context.spend(_replace(data, context)) if "{{" in data else data)
    if isinstance(data, dict | list):
        if depth > MAX_DEPTH:
            raise InvalidConfig(f"nested deeper than {MAX_DEPTH} levels: flatten it")
        return _copy_container(data, context, depth + 1)
    if data is None or isinstance(data, int):
        return data
    if isinstance(data, float) and math.isfinite(data):
        return data
    raise InvalidConfig(f"{type(data).__name__} is not JSON: use text, numbers, lists, objects")


def _copy_container(data: dict[str, Any] | list[Any], context: _Values, depth: int) -> Any:
    key: Any = ""
    try:
        if isinstance(data, dict):
            copied = {}
            for key, value in data.items():
                copied[_key(key)] = _copy(value, context, depth)
            return copied
        copies = []
        for key, value in enumerate(data):  # noqa: B007  the handler below names it
            copies.append(_copy(value, context, depth))
    except InvalidConfig as error:
        raise error.below(ascii(key).strip("'")) from None
    return copies


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise InvalidConfig(f"the key {key!r} is not text: put it in quotes")
    return _readable(key)


def _readable(text: str) -> str:
    if "\0" in text:
        raise InvalidConfig("text holds a NUL character: remove it")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidConfig(
                "text holds half of a surrogate pair, which is no character: remove it"
            ) from None
    return text


@lru_cache(maxsize=1024)
def _one(name: str) -> re.Pattern[str]:
    return re.compile(r"\{\{(\s*" + name + r"\s*)\}\}")


def _replace(text: str, context: Mapping[str, object]) -> str:
    names = VARIABLE.findall(text)
    if len(names) > MAX_PLACES:
        raise InvalidConfig(f"more than {MAX_PLACES} variables in one text: split it")
    done: set[str] = set()
    for name in names:
        if name not in context:
            continue
        value = as_text(context[name])
        # Another pass over the same name only matters if values contain variables.
        if name in done and "{" not in value and "\\" not in value:
            continue
        done.add(name)
        if len(text) + text.count("{{") * len(value) > MAX_TEXT:
            raise InvalidConfig(f'the variable "{name}" makes a text of more than 8 MiB')
        text = _put(text, name, value, VARIABLE if len(names) == 1 else _one(name))
    return text


def as_text(value: object) -> str:
    """Return what stands for a variable's value: JSON's own words, and nothing for null.

    >>> as_text(True)
    'true'
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    text = json.dumps(value, ensure_ascii=False, default=str)
    # Backslashes of a text are the user's, who doubles them; these are JSON's.
    return text.replace("\\", r"\\")


def _put(text: str, name: str, value: str, pattern: re.Pattern[str]) -> str:
    try:
        return pattern.sub(value, text)
    except (re.error, IndexError):
        raise InvalidConfig(
            f'the value of the variable "{name}" holds a backslash which starts no known '
            "escape: write every backslash twice"
        ) from None
