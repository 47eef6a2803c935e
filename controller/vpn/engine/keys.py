"""Keys of WireGuard, and the group that OpenVPN servers agree on keys in."""

from base64 import b64decode, b64encode

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

# ffdhe2048 of RFC 7919. Known groups are what TLS recommends: nobody has to wait for one of
# their own, and this one is known to be sound.
DH_PARAMETERS = """\
-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


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
