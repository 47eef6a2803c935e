"""Configuration backends: netjsonconfig's, converted once instead of twice."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from importlib.metadata import version
from typing import Any

import jinja2
import netjsonconfig
from netjsonconfig.backends.base.backend import BaseBackend
from netjsonconfig.backends.openwrt import converters
from netjsonconfig.backends.openwrt.timezones import timezones
from netjsonconfig.schema import DEFAULT_FILE_MODE
from netjsonconfig.utils import merge_config

from controller.base.archive import File
from controller.configs.engine.errors import InvalidConfig
from controller.configs.engine.schema_validation import QuickValidation, Validator
from controller.configs.engine.uci import LegacyRenderer, Packages, UciRenderer
from controller.configs.engine.variables import substitute

# Part of every cache key; the first number counts our own changes of the output.
FORMAT_VERSION = f"2+netjsonconfig-{version('netjsonconfig')}"

# Checked by editors more strictly than by devices, and before variables are replaced.
SERVER_FORMATS = {"cidr", "hostname", "ipv4", "ipv6"}

# netjsonconfig knows this zone by its name before 2022 alone.
timezones.setdefault("Europe/Kyiv", timezones["Europe/Kiev"])
_ZONES = netjsonconfig.OpenWrt.schema["properties"]["general"]["properties"]["timezone"]["enum"]
if "Europe/Kyiv" not in _ZONES:
    _ZONES.append("Europe/Kyiv")

OPENWRT_RELEASE = re.compile(r"\b(?:openwrt|lede)\b.*?\b(\d{2})\.\d{2}\b", re.IGNORECASE)
FIRST_DSA_RELEASE = 21


class Engine(BaseBackend):
    """Mixin for netjsonconfig backends: validates once, returns files."""

    converters = [
        Packages if converter is converters.Default else converter
        for converter in netjsonconfig.OpenWrt.converters
    ]
    package_path = "etc/config/{}"

    def __init__(
        self,
        config: dict[str, Any],
        context: Mapping[str, object],
        *,
        dsa: bool = True,
        partial: bool = False,
    ) -> None:
        """Initialize; `partial` permits undefined variables in names and paths."""
        self.config = substitute(config, context)
        self.intermediate_data: OrderedDict[str, Any] | None = None
        self.dsa = dsa
        self.partial = partial
        self._collected: list[File] = []
        self._validated = False

    def validate(self) -> None:
        if not self._validated:
            super().validate()
            self._validated = True

    def to_intermediate(self) -> None:
        self.validate()
        data: OrderedDict[str, Any] = OrderedDict()
        self.intermediate_data = data
        for converter in self.converters:
            if not converter.should_run_forward(self.config):
                continue
            for package, sections in (converter(self).to_intermediate() or {}).items():
                known = package in data
                data[package] = joined(data[package], sections) if known else sections

    def files(self) -> list[File]:
        self._collected = []
        self._generate_contents(None)
        expected = [self.package_path.format(name) for name in self.intermediate_data or ()]
        if [file.path for file in self._collected] != expected:
            raise InvalidConfig(
                'a value holds the word "package " where it would start another UCI file: '
                "reword it"
            )
        self._process_files(None)
        return self._collected

    def _add_file(
        self, tar: None, name: str, contents: str, mode: str = DEFAULT_FILE_MODE
    ) -> None:
        self._collected.append(File(name, int(mode, 8), contents.encode()))


def joined(below: Any, above: Any) -> Any:
    """Merge one package's sections from two converters; equal names are combined.

    Equal names are rare and netjsonconfig's merge copies everything, so only then it is
    used.
    """
    if isinstance(below, list) and isinstance(above, list):
        names = [section[".name"] for section in (*below, *above)]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return below + above
    return merge_config({"both": below}, {"both": above}, list_identifiers=[".name"])["both"]


class OpenWrt(Engine, netjsonconfig.OpenWrt, QuickValidation):
    validator = Validator(netjsonconfig.OpenWrt.schema)
    renderer = UciRenderer


class OpenWisp(Engine, netjsonconfig.OpenWisp, QuickValidation):
    """Backend of OpenWISP 1.x firmware."""

    validator = Validator(netjsonconfig.OpenWisp.schema)
    renderer = LegacyRenderer
    package_path = "uci/{}.conf"

    def _render_template(self, template: str, context: dict[str, Any] | None = None) -> str:
        return _scripts().get_template(template).render(**(context or {}))


BACKENDS: dict[str, type[Engine]] = {
    "netjsonconfig.OpenWrt": OpenWrt,
    "netjsonconfig.OpenWisp": OpenWisp,
}


def backend_named(name: str) -> type[Engine]:
    if name not in BACKENDS:
        raise InvalidConfig(f"unknown backend: use one of {', '.join(BACKENDS)}")
    return BACKENDS[name]


def schema(backend: str) -> dict[str, Any]:
    """Return the JSON schema for editors: annotated, without server-side formats."""
    copy: dict[str, Any] = deepcopy(backend_named(backend).schema)
    _drop_formats(copy)
    return copy


def uses_dsa(os: str) -> bool:
    """Return whether `os` (as agents report it) has the syntax of OpenWrt 21.02+."""
    release = OPENWRT_RELEASE.search(os)
    return release is None or int(release[1]) >= FIRST_DSA_RELEASE


def _drop_formats(node: object) -> None:
    if isinstance(node, dict):
        if isinstance(node.get("format"), str) and node["format"] in SERVER_FORMATS:
            del node["format"]
        for child in node.values():
            _drop_formats(child)
    elif isinstance(node, list):
        for child in node:
            _drop_formats(child)


@cache
def _scripts() -> jinja2.Environment:
    return jinja2.Environment(  # noqa: S701  these are shell scripts, not HTML
        loader=jinja2.PackageLoader("netjsonconfig.backends.openwisp"), trim_blocks=True
    )
