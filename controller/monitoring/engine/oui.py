"""Who made a network interface, by the first half of its address."""

import re

LINE = re.compile(r"^([0-9A-F]{6})\s+\(base 16\)\s+(.+?)\s*$", re.MULTILINE)


class Vendors:
    """The list that IEEE publishes as ``oui.txt``."""

    def __init__(self, text: str) -> None:
        self.names: dict[str, str] = dict(LINE.findall(text))

    def of(self, mac: str) -> str:
        return self.names.get(mac.replace(":", "").upper()[:6], "")
