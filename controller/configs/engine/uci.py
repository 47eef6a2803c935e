"""Converted sections to UCI text, and what UCI cannot say.

The text is netjsonconfig's, written without its template engine. Its clean-up runs over the
whole text, values included (four spaces in a value vanish), and is therefore kept as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from netjsonconfig.backends.openwrt import converters
from netjsonconfig.backends.openwrt.renderer import OpenWrtRenderer

from controller.configs.engine.errors import InvalidConfig
from controller.configs.engine.variables import VARIABLE

# libuci, uci_validate_str: anything else is a parse error which costs the device the file.
NAME = re.compile(r"[A-Za-z0-9_]+")
PACKAGE = re.compile(r"[A-Za-z0-9_-]+")
TYPE = re.compile(r"[!#-&(-~]+")


class Packages(converters.Default):
    """Packages the schema does not know. What is no section is skipped without a word."""

    def __init__(self, backend: Any) -> None:
        super().__init__(backend)
        self.netjson = {
            key: [
                block for block in value if isinstance(block, dict) and "config_name" in block
            ]
            for key, value in backend.config.items()
            if isinstance(value, list)
        }


class UciRenderer(OpenWrtRenderer):
    quote = ""

    def render(self) -> str:
        lines: list[str] = []
        for package, sections in self.backend.intermediate_data.items():
            self._name(PACKAGE, package, "package name", package)
            lines += (f"package {package}", "")
            for section in sections:
                lines += self._section(package, section)
            lines.append("")
        text: str = self.cleanup("".join(f"{line}\n" for line in lines))
        return text

    def _section(self, package: str, section: Mapping[str, Any]) -> list[str]:
        kind, name = section[".type"], section[".name"]
        self._name(TYPE, kind, "section type", package)
        self._name(NAME, name, "section name", package)
        quote = self.quote
        lines = [f"config {quote}{kind}{quote} '{name}'"]
        for key, value in section.items():
            if value is None or value == "" or key.startswith("."):
                continue
            self._name(NAME, key, "option name", package)
            if isinstance(value, str):
                lines.append(f"option {quote}{key}{quote} '{_quoted(value, package, key)}'")
            elif isinstance(value, Iterable):
                start = f"list {quote}{key}{quote} "
                lines += [f"{start}'{_quoted(item, package, key)}'" for item in value]
            else:
                number = int(value) if isinstance(value, bool) else value
                lines.append(f"option {quote}{key}{quote} '{number}'")
        lines.append("")
        return lines

    def _name(self, allowed: re.Pattern[str], text: str, what: str, package: str) -> None:
        known = VARIABLE.sub("x", text) if self.backend.partial else text
        if not allowed.fullmatch(known):
            raise InvalidConfig(
                f"{json.dumps(text)} cannot be a UCI {what}, a device would skip the whole "
                "file: use letters, digits and underscores",
                f"#/{package}",
            )


class LegacyRenderer(UciRenderer):
    quote = "'"


def _quoted(value: object, package: str, key: str) -> str:
    text = str(value)
    if "'" in text and "'" in text.replace("'\\''", ""):
        raise InvalidConfig(
            f"a value of {key} holds a single quote, which ends a UCI value too early: "
            "write '\\'' instead of '"
            if isinstance(value, str)
            else f"{key} holds objects, but UCI knows only text and lists of text: leave it out",
            f"#/{package}",
        )
    return text
