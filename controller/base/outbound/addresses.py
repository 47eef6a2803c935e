"""Which addresses may be connected to: networks by name, and ranges that need to be named themselves."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
INTERNET = "internet"


@dataclass(frozen=True)
class Range:
    """Addresses that a wider network in a setting does not include."""

    network: Network
    name: str
    is_closed: bool = False
    """No setting opens it."""
    is_translation: bool = False
    """Packets to it end at an IPv4 address that is written inside."""


def _range(text: str, name: str, *, is_closed: bool = False, is_translation: bool = False) -> Range:  # fmt: skip
    return Range(ip_network(text), name, is_closed, is_translation)


# Where clouds keep the secrets of their machines.
METADATA = tuple(
    _range(text, "a cloud's metadata service")
    for text in (
        "169.254.169.254/32", "169.254.170.2/32", "100.100.100.200/32", "168.63.129.16/32",
        "192.0.0.192/32", "fd00:ec2::254/128", "fd20:ce::254/128", "fd00:42::42/128",
    )
)  # fmt: skip
RANGES = (
    *METADATA,
    _range("0.0.0.0/8", "no host", is_closed=True),
    _range("127.0.0.0/8", "the portal's own machine"),
    _range("169.254.0.0/16", "link-local"),
    _range("224.0.0.0/4", "multicast", is_closed=True),
    _range("240.0.0.0/4", "reserved", is_closed=True),
    _range("::/128", "no host", is_closed=True),
    _range("::1/128", "the portal's own machine"),
    _range("fe80::/10", "link-local"),
    _range("fec0::/10", "site-local"),
    _range("ff00::/8", "multicast", is_closed=True),
    _range("::/96", "IPv4 inside IPv6", is_translation=True),
    _range("::ffff:0:0:0/96", "IPv4 inside IPv6", is_translation=True),
    _range("64:ff9b::/96", "NAT64", is_translation=True),
    _range("64:ff9b:1::/48", "NAT64", is_translation=True),
    _range("2001::/32", "Teredo", is_translation=True),
    _range("2002::/16", "6to4", is_translation=True),
)


@dataclass(frozen=True)
class Policy:
    """Where connections of one kind may go, and the setting that says so."""

    setting: str
    networks: tuple[Network, ...] = ()
    reaches_internet: bool = False

    def refusal(self, address: Address) -> str:
        """Return why this address is not connected to, as a sentence; empty if it is."""
        address = unmapped(address)
        for one in RANGES:
            if address.version == one.network.version and address in one.network:
                return self._refusal_in(one, address)
        if self.includes(address) or (self.reaches_internet and address.is_global):
            return ""
        return f"{address} is in none of the networks of {self.setting}."

    def includes(self, address: Address) -> bool:
        """Return whether a network that the setting names holds the address."""
        return any(address in one for one in self.networks if one.version == address.version)

    def _refusal_in(self, special: Range, address: Address) -> str:
        is_named = not special.is_closed and any(
            one.version == special.network.version
            and one.subnet_of(special.network)  # type: ignore[arg-type]
            and address in one
            for one in self.networks
        )
        if not is_named:
            return f"{address} is refused ({special.name}); {self.setting} does not name it."
        if special.is_translation and isinstance(address, IPv6Address):
            return next(filter(None, map(self.refusal, embedded(address))), "")
        return ""


def unmapped(address: Address) -> Address:
    """Return the IPv4 address of an IPv4-mapped one; any other as it is."""
    return getattr(address, "ipv4_mapped", None) or address


def embedded(address: IPv6Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses that a translated address leads to."""
    if address.teredo:
        yield from address.teredo
    elif address.sixtofour:
        yield address.sixtofour
    else:
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def parsed(text: str) -> Address | None:
    """Return the address that a host is written as; None for a name."""
    try:
        address: Address = ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    return unmapped(address)


@lru_cache(maxsize=64)
def policy(setting: str, words: tuple[str, ...]) -> Policy:
    """Return the policy of a setting's words: networks, ``private`` and ``internet``.

    Raises ValueError for a word that is none of these.
    """
    return Policy(setting, tuple(_networks(words)), INTERNET in words)


def _networks(words: Iterable[str]) -> Iterator[Network]:
    for word in words:
        if word == "private":
            yield from map(ip_network, PRIVATE)
        elif word != INTERNET:
            yield ip_network(word, strict=False)
