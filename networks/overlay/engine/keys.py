"""WireGuard keys and the overlay addresses derived from them."""

from base64 import b64decode, b64encode
from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network

from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)


def wireguard_pair() -> tuple[str, str]:
    """Generate a private and a public key, encoded as by `wg genkey` and `wg pubkey`."""
    key = X25519PrivateKey.generate()
    return (
        b64encode(key.private_bytes_raw()).decode(),
        b64encode(key.public_key().public_bytes_raw()).decode(),
    )


def checked_public(text: str) -> str:
    """Normalize a public key. Raises ValueError if it is invalid.

    Keys of small order are rejected: a Diffie-Hellman exchange with them yields a known
    secret.
    """
    try:
        raw = b64decode(text.strip(), validate=True)
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(raw))
    except ValueError as error:
        text = "A public key is 32 bytes in base64, as `wg pubkey` writes it."
        raise ValueError(text) from error
    return b64encode(raw).decode()


def overlay_address(public_key: str, prefix: str) -> str:
    """Return the prefix filled up with the leading bits of the public key's SHA-256."""
    network = IPv6Network(prefix)
    room = network.max_prefixlen - network.prefixlen
    digest = int.from_bytes(sha256(b64decode(public_key)).digest()[: room // 8])
    return str(IPv6Address(int(network.network_address) | digest))
