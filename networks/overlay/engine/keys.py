"""Keys of WireGuard, and the overlay addresses that follow from them."""

from base64 import b64decode, b64encode
from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network

from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)


def wireguard_pair() -> tuple[str, str]:
    """A private key and its public key, as `wg genkey` and `wg pubkey` write them."""
    key = X25519PrivateKey.generate()
    return (
        b64encode(key.private_bytes_raw()).decode(),
        b64encode(key.public_key().public_bytes_raw()).decode(),
    )


def wireguard_public(private: str) -> str:
    """The public key of a private one; ValueError for what is no key."""
    key = X25519PrivateKey.from_private_bytes(b64decode(private, validate=True))
    return b64encode(key.public_key().public_bytes_raw()).decode()


def checked_public(text: str) -> str:
    """A public key as `wg` writes it; ValueError for what is none.

    Keys of small order are none: whoever has one agrees with everybody on the same secret.
    """
    try:
        raw = b64decode(text.strip(), validate=True)
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(raw))
    except ValueError as error:
        text = "A public key is 32 bytes in base64, as `wg pubkey` writes it."
        raise ValueError(text) from error
    return b64encode(raw).decode()


def overlay_address(public_key: str, prefix: str) -> str:
    """The prefix, and as much of the key's SHA-256 as there is room for behind it."""
    network = IPv6Network(prefix)
    room = network.max_prefixlen - network.prefixlen
    digest = int.from_bytes(sha256(b64decode(public_key)).digest()[: room // 8])
    return str(IPv6Address(int(network.network_address) | digest))
