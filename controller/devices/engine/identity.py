"""What identifies a device: its name, its MAC address, its key."""

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
    """A device is named by a hostname or, before anybody named it, by its MAC address."""
    return is_mac(text) or HOSTNAME.fullmatch(text) is not None


def same_mac(one: str, other: str) -> bool:
    """Whether two texts name the same MAC address, whatever their case and separators."""
    return _hex(one) == _hex(other)


def _hex(text: str) -> str:
    return re.sub("[:-]", "", text).lower()


def consistent_key(base: str, shared_secret: str) -> str:
    """The key a device and the portal both arrive at: md5 of ``base+shared_secret`` (hex).

    ``base`` is the MAC address or the hardware id. This is the agents' protocol, which fixes
    the algorithm; whoever knows the organization's secret can make the key of a device.
    """
    return hashlib.md5(f"{base}+{shared_secret}".encode(), usedforsecurity=False).hexdigest()


def random_key() -> str:
    return secrets.token_hex(16)
