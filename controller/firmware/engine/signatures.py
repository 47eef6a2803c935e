"""Signatures of images: usign files inside ucert blobs.

A usign file is a comment line and base64 of ``Ed``, eight bytes of key id and an Ed25519
signature. A ucert is a sequence of blobs, each with a signature and, except for the last, a
certificate; the last one signs the image without its signature chunk.
"""

import base64
import binascii
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ALGORITHM = b"Ed"
ID_SIZE, SIGNATURE_SIZE, KEY_SIZE = 8, 64, 32
HEAD = struct.Struct(">I")
LENGTH_MASK = 0xFFFFFF
SIGNATURE_ID = 0


class Verdict(StrEnum):
    NONE = "none"
    VALID = "valid"
    UNKNOWN_KEY = "unknown_key"
    BROKEN = "broken"


@dataclass(frozen=True)
class PublicKey:
    id: bytes
    key: bytes


def read_public_key(text: str) -> PublicKey:
    """Parse a usign public key, with or without its comment; raise ValueError otherwise."""
    data = _decoded(text)
    if len(data) != len(ALGORITHM) + ID_SIZE + KEY_SIZE or data[:2] != ALGORITHM:
        raise ValueError("A usign public key is base64 text of 42 bytes that starts with Ed.")
    return PublicKey(data[2:10], data[10:])


def verify(signature: bytes, message: bytes | memoryview, keys: Iterable[PublicKey]) -> Verdict:
    """Verify the ucert of an image with the keys that are trusted."""
    try:
        data = _decoded(_last_signature(signature))
    except ValueError:
        return Verdict.BROKEN
    if len(data) != len(ALGORITHM) + ID_SIZE + SIGNATURE_SIZE or data[:2] != ALGORITHM:
        return Verdict.BROKEN
    known = next((one for one in keys if one.id == data[2:10]), None)
    if known is None:
        return Verdict.UNKNOWN_KEY
    try:
        Ed25519PublicKey.from_public_bytes(known.key).verify(data[10:], message)
    except InvalidSignature:
        return Verdict.BROKEN
    return Verdict.VALID


def _decoded(text: str) -> bytes:
    lines = [one for one in text.split("\n") if one and not one.startswith("untrusted comment")]
    if len(lines) != 1:
        raise ValueError("One line of base64 text is expected.")
    try:
        return base64.b64decode(lines[0].strip(), validate=True)
    except binascii.Error as error:
        raise ValueError("The text is not base64.") from error


def _last_signature(data: bytes) -> str:
    found = ""
    for _, body in _blobs(data):
        for kind, value in _blobs(body):
            if kind == SIGNATURE_ID:
                found = value.rstrip(b"\0").decode("ascii")
    if not found:
        raise ValueError("There is no signature in it.")
    return found


def _blobs(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + HEAD.size <= len(data):
        (word,) = HEAD.unpack_from(data, at)
        length, kind = word & LENGTH_MASK, (word >> 24) & 0x7F
        if length < HEAD.size or at + length > len(data):
            raise ValueError("A blob is longer than the data.")
        yield kind, data[at + HEAD.size : at + length]
        at += -(-length // 4) * 4
