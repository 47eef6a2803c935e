"""Proof of possession of an Ed25519 private key (RFC 8032)."""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_BYTES = 32
SIGNATURE_BYTES = 64
# DER prefix of the 32 key bytes in a SubjectPublicKeyInfo (RFC 8410), as openssl writes it;
# usign
# and signify put an algorithm name and a key number before key and signature.
SPKI = bytes.fromhex("302a300506032b6570032100")
SIGNIFY = b"Ed"
SIGNIFY_BYTES = 10


class BadProof(ValueError):
    """Invalid key or signature; the message is for the device's log."""


def public_key(text: str) -> bytes:
    """Decode a base64 public key: raw, openssl's DER, or usign's format. Returns 32 bytes."""
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
    """Return the SHA-256 fingerprint of the key in ssh-keygen's notation."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def written(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadProof(f"{name} is no base64 text") from error
