"""Rendering of server configurations to archives with netjsonconfig."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import netjsonconfig
from jinja2 import TemplateError
from jsonschema import Draft4Validator
from jsonschema import ValidationError as SchemaError
from netjsonconfig.exceptions import ValidationError
from netjsonconfig.schema import DEFAULT_FILE_MODE

from controller.base.archive import File
from controller.vpn.engine.contract import Invalid

PATH = re.compile(r"/?[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")

# Exceptions that netjsonconfig's converters raise on values its schema permits.
CRASHES = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError,
    ValueError, TemplateError,
)  # fmt: skip


class Collecting:
    """Mixin for netjsonconfig backends: returns files, skips validation."""

    config: dict[str, Any]

    def validate(self) -> None:
        """Skipped: validated before peers are added; thousands of peers take minutes."""

    def files(self) -> list[File]:
        self.collected: list[File] = []
        self._deduplicate_files()  # type: ignore[attr-defined]
        self._generate_contents(None)  # type: ignore[attr-defined]
        self._process_files(None)  # type: ignore[attr-defined]
        return self.collected

    def _add_file(
        self, tar: None, name: str, contents: str, mode: str = DEFAULT_FILE_MODE
    ) -> None:
        self.collected.append(File(name, int(mode, 8), contents.encode()))


class OpenVpn(Collecting, netjsonconfig.OpenVpn):
    pass


class Wireguard(Collecting, netjsonconfig.Wireguard):
    pass


class ZeroTier(Collecting, netjsonconfig.ZeroTier):
    pass


def check(schema: dict[str, Any], config: Mapping[str, Any]) -> None:
    """Validate a configuration; raise Invalid with the validator's message."""
    _check_text(config)
    try:
        Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER).validate(config)
    except SchemaError as error:
        raise _worded(error) from error
    except CRASHES as error:
        raise Invalid(f"it cannot be read ({type(error).__name__}: {error})") from error


def files(
    kind: type[Any], config: Mapping[str, Any], variables: Mapping[str, str]
) -> list[File]:
    """Return the files of a validated configuration; raise Invalid if not convertible."""
    try:
        found: list[File] = kind(config=deepcopy(dict(config)), context=dict(variables)).files()
    except ValidationError as error:
        raise _worded(error.details) from error
    except SchemaError as error:
        raise _worded(error) from error
    except CRASHES as error:
        raise Invalid(
            f"it cannot be converted ({type(error).__name__}: {error}): compare the part this "
            "names with its description in the schema"
        ) from error
    for file in found:
        if not PATH.fullmatch(file.path) or {".", ".."} & set(file.path.split("/")):
            raise Invalid(f"the file path {file.path!r} is not made of A-Z a-z 0-9 . _ - and /")
    return found


def _check_text(config: object) -> None:
    """Raise Invalid for characters that no database and no server accepts."""
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str) and ("\0" in item or not _is_readable(item)):
            raise Invalid("text holds a NUL character or half of a character: remove it")


def _is_readable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _worded(error: SchemaError) -> Invalid:
    return Invalid(error.message, "#/" + "/".join(str(part) for part in error.path))
