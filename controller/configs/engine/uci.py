"""UCI text of converted sections, and values that UCI cannot represent.

The text equals netjsonconfig's, without its template engine. Its clean-up runs over the whole text
and changes values, too (four spaces vanish, empty lines are joined); here values stay as they are.
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

# libuci, uci_validate_str: other characters are a parse error and the device loses the file.
NAME = re.compile(r"[A-Za-z0-9_]+")
PACKAGE = re.compile(r"[A-Za-z0-9_-]+")
TYPE = re.compile(r"[!#-&(-~]+")


class Packages(converters.Default):
    """Packages unknown to the schema. Entries that are not sections are skipped silently."""

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
        blocks: list[str] = []
        for package, sections in self.backend.intermediate_data.items():
            self._check_name(PACKAGE, package, "package name", package)
            blocks.append(f"package {package}")
            blocks += (self._section(package, section) for section in sections)
        return "\n\n".join(blocks) + "\n" if blocks else ""

    def _section(self, package: str, section: Mapping[str, Any]) -> str:
        kind, name = section[".type"], section[".name"]
        self._check_name(TYPE, kind, "section type", package)
        self._check_name(NAME, name, "section name", package)
        quote = self.quote
        lines = [f"config {quote}{kind}{quote} '{name}'"]
        for key, value in section.items():
            if value is None or value == "" or key.startswith("."):
                continue
            self._check_name(NAME, key, "option name", package)
            if not isinstance(value, str) and isinstance(value, Iterable):
                start = f"\tlist {quote}{key}{quote}"
                lines += [f"{start} '{self._text(item, key, package)}'" for item in value]
            else:
                plain = int(value) if isinstance(value, bool) else value
                start = f"\toption {quote}{key}{quote}"
                lines.append(f"{start} '{self._text(plain, key, package)}'")
        return "\n".join(lines)

    def _text(self, value: object, key: str, package: str) -> str:
        text = str(value)
        if "'" not in text or "'" not in text.replace("'\\''", ""):
            return text
        if key == "vlan_filtering":
            reason = "vlan_filtering needs OpenWrt 21.02 or later"
        elif isinstance(value, str):
            reason = (
                f"a value of {key} holds a single quote, which ends it: write '\\'' instead"
            )
        else:
            reason = f"{key} holds objects, but UCI has only text and lists: leave it out"
        raise self._refusal(reason, package)

    def _check_name(self, allowed: re.Pattern[str], name: str, what: str, package: str) -> None:
        known = VARIABLE.sub("x", name) if self.backend.partial else name
        if allowed.fullmatch(known):
            return
        raise self._refusal(
            f"{json.dumps(name)} cannot be a UCI {what}, the device would skip the whole "
            "package: use letters, digits and underscores",
            package,
        )

    def _refusal(self, reason: str, package: str) -> InvalidConfig:
        # Most packages come from other keys: "network" from "interfaces", "routes" and others.
        if package in self.config:
            return InvalidConfig(reason, f"#/{package}")
        return InvalidConfig(f"in the UCI package {package}: {reason}")


class LegacyRenderer(UciRenderer):
    quote = "'"
