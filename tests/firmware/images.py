"""Builds images as OpenWrt's build ends them: payload, metadata, signature."""

import base64
import io
import json
import struct
import tarfile
import zlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TRAILER = struct.Struct(">4sIB3xI")
PAYLOAD = bytes(range(256)) * 64
KEY_ID = b"muster-1"


def metadata(*boards: str, **values: Any) -> dict[str, Any]:
    return {
        "metadata_version": "1.1",
        "compat_version": "1.0",
        "supported_devices": list(boards or ("example,router-v1",)),
        "version": {
            "dist": "OpenWrt", "version": "24.10.2", "revision": "r28739-d9340319c6",
            "target": "ath79/generic", "board": "router-v1",
        },
    } | values  # fmt: skip


def chunk(before: bytes, kind: int, data: bytes, **values: int) -> bytes:
    checksum = values.get("checksum", zlib.crc32(before + data) ^ 0xFFFFFFFF)
    size = values.get("size", len(data) + TRAILER.size)
    return data + TRAILER.pack(b"FWx0", checksum, kind, size)


def with_info(data: bytes, payload: bytes = PAYLOAD, **values: int) -> bytes:
    return payload + chunk(payload, 1, bytes(8) + data, **values)


def image(info: Any = None, payload: bytes = PAYLOAD) -> bytes:
    text = json.dumps(metadata() if info is None else info).encode()
    return with_info(text, payload)


def private_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(b"a key for the tests of firmware.")


def public_key(key: Ed25519PrivateKey | None = None) -> str:
    raw = (key or private_key()).public_key().public_bytes_raw()
    return "untrusted comment: tests\n" + base64.b64encode(b"Ed" + KEY_ID + raw).decode() + "\n"


def blob(kind: int, data: bytes) -> bytes:
    return struct.pack(">I", kind << 24 | len(data) + 4) + data + bytes(-len(data) % 4)


def signed(data: bytes, key: Ed25519PrivateKey | None = None) -> bytes:
    raw = base64.b64encode(b"Ed" + KEY_ID + (key or private_key()).sign(data)).decode()
    text = f"untrusted comment: signed by tests\n{raw}\n".encode() + b"\0"
    return data + chunk(data, 0, blob(0, blob(0, text)))


def tar(names: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in names.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()
