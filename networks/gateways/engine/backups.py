"""Backups of gateways: the file, the text by which two are compared, and its digest."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.base.archive import unpacked

TEXT, ARCHIVE, OPAQUE = "text", "archive", "opaque"
# RouterOS begins an export with the time of the export and the router's serial number.
ROUTEROS_HEADER = re.compile(r"\A(?:#[^\n]*\n)+")


@dataclass(frozen=True)
class BackupFile:
    """A backup as the vendor gives it.

    ``kind`` is ``text``, ``archive`` (a tar.gz of texts) or ``opaque``: a file that only the
    vendor can read. ``settings`` is what the portal reads besides an opaque file.
    """

    name: str
    kind: str
    contents: bytes = field(repr=False)
    settings: str = field(default="", repr=False)

    @property
    def readable(self) -> str:
        """Return the text by which it is compared with other backups."""
        if self.kind == ARCHIVE:
            return "\n".join(
                f"=== {one.path} ({one.mode & 0o7777:o})\n{text_of(one.contents)}"
                for one in sorted(unpacked(self.contents), key=lambda one: one.path)
            )
        if self.kind == OPAQUE:
            return self.settings
        return ROUTEROS_HEADER.sub("", text_of(self.contents))

    @property
    def digest(self) -> str:
        """Return the SHA-256 of what it holds: equal for two backups of equal settings."""
        return hashlib.sha256(self.readable.encode()).hexdigest()


def text_of(contents: bytes) -> str:
    try:
        return contents.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        return f"(no text, SHA-256 {hashlib.sha256(contents).hexdigest()})"


def settings_file(settings: Mapping[str, Any]) -> BackupFile:
    """Return what was read of a gateway that gives no file of its own."""
    return BackupFile("settings.json", TEXT, written(settings).encode())


def written(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
