"""That a device holds the private key of the public key it shows: Ed25519, RFC 8032."""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_BYTES = 32
SIGNATURE_BYTES = 64
# What stands before the 32 bytes of the key in a SubjectPublicKeyInfo (RFC 8410), as openssl
# writes it; usign and signify put their name and a key number before key and signature.
SPKI = bytes.fromhex("302a300506032b6570032100")
SIGNIFY = b"Ed"
SIGNIFY_BYTES = 10


class BadProof(ValueError):
    """What is wrong with a key or a signature, in words for the device's log."""


def public_key(text: str) -> bytes:
    """The 32 bytes of a key in base64: bare, as openssl's DER, or as usign has it."""
    data = _decoded(text, "public_key")
    if data.startswith(SPKI):
        data = data.removeprefix(SPKI)
    elif data.startswith(SIGNIFY) and len(data) == SIGNIFY_BYTES + KEY_BYTES:
        data = data[SIGNIFY_BYTES:]
    if len(data) != KEY_BYTES:
        raise BadProof("public_key is no Ed25519 key: send its DER, or usign's, in base64")
    return data


def check(key: bytes, signature: str, message: bytes) -> None:
    """Raise BadProof unless this is the key's signature of the message."""
    data = _decoded(signature, "signature")
    if data.startswith(SIGNIFY) and len(data) == SIGNIFY_BYTES + SIGNATURE_BYTES:
        data = data[SIGNIFY_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(data, message)
    except (InvalidSignature, ValueError) as error:
        raise BadProof("signature is not that of public_key over the text before it") from error


def fingerprint(key: bytes) -> str:
    """SHA-256 of the 32 bytes, written as ssh-keygen writes fingerprints."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def written(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadProof(f"{name} is no base64 text") from error
