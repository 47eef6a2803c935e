"""Identifiers of a device: name, MAC address, key."""

import hashlib
import re
import secrets

MAC = re.compile(r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")
HOSTNAME = re.compile(
    r"(?=.{1,255}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
KEY = re.compile(r"[^\s./\x00]+")


def is_mac(text: str) -> bool:
    return MAC.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Return whether a text is a device name: a hostname or a MAC address."""
    return is_mac(text) or HOSTNAME.fullmatch(text) is not None


def same_mac(one: str, other: str) -> bool:
    """Return whether two MAC addresses are equal, ignoring case and separators."""
    return _hex(one) == _hex(other)


def _hex(text: str) -> str:
    return re.sub("[:-]", "", text).lower()


def consistent_key(base: str, shared_secret: str) -> str:
    """Return the key derived by device and portal: md5 of ``base+shared_secret`` (hex).

    ``base`` is the MAC address or the hardware id. The agents' protocol fixes the
    algorithm; anyone
    with the organization's secret can derive the key of a device.
    """
    return hashlib.md5(f"{base}+{shared_secret}".encode(), usedforsecurity=False).hexdigest()


def random_key() -> str:
    return secrets.token_hex(16)
