"""Contract of the VPN server renderers: plain values, no rows, no network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.base import archive
from controller.base.archive import File

Json = Mapping[str, Any]


class Invalid(ValueError):
    """Invalid server configuration, with messages in OpenWISP's wording."""

    def __init__(self, reason: str, path: str = "#/") -> None:
        self.reason = reason
        super().__init__(
            f'Invalid configuration triggered by "{path}", validator says:\n\n{reason}'
        )


@dataclass(frozen=True, slots=True)
class Peer:
    """Client of a WireGuard server; the address has no prefix length."""

    public_key: str
    address: str
    vni: int | None = None

    @property
    def network(self) -> str:
        return f"{self.address}/{128 if ':' in self.address else 32}"


@dataclass(frozen=True, slots=True)
class Facts:
    """Properties of a server that are not in its configuration."""

    name: str = ""
    ca: str = ""
    cert: str = ""
    key: str = field(default="", repr=False)
    dh: str = ""
    private_key: str = field(default="", repr=False)
    public_key: str = ""
    address: str = ""
    subnet: str = ""
    prefix_length: int | None = None
    node_id: str = ""
    network_id: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """Return the variables that server configurations may use."""
        known = {
            "ca": self.ca,
            "cert": self.cert,
            "key": self.key,
            "dh": self.dh,
            "private_key": self.private_key,
            "public_key": self.public_key,
            "subnet": self.subnet,
            "subnet_prefixlen": "" if self.prefix_length is None else str(self.prefix_length),
            "ip_address": self.address,
            "node_id": self.node_id,
            "network_id": self.network_id,
        }
        return {name: value for name, value in known.items() if value}


@dataclass(frozen=True, slots=True)
class Rendered:
    """Archive of a server; `checksum` is its md5, which the server's agent compares."""

    files: tuple[File, ...]
    archive: bytes = field(repr=False)
    checksum: str


def packed(files: Sequence[File]) -> Rendered:
    data = archive.gzip(archive.tar(files))
    checksum = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return Rendered(tuple(files), data, checksum)
