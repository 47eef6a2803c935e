"""Prometheus' remote write, version 1.0: samples as protobuf, in snappy's block format.

Nothing is compressed: a block of literals is valid snappy, and the message goes over a short way.
"""

import struct
from collections.abc import Iterable, Mapping

BITS, MORE = 7, 0x80
LITERAL_BYTES = 65_536
# Field numbers and wire types: 1 is 64 bits, 2 is a length and so many bytes, 0 is a number.
MESSAGE_1, MESSAGE_2, DOUBLE_1, NUMBER_2 = 0x0A, 0x12, 0x09, 0x10
LENGTH_OF_16_BITS = 61 << 2
DOUBLE = struct.Struct("<d")


def varint(value: int) -> bytes:
    found = bytearray()
    while value >= MORE:
        found.append(value & (MORE - 1) | MORE)
        value >>= BITS
    found.append(value)
    return bytes(found)


def field(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + varint(len(content)) + content


def series(labels: Mapping[str, str], samples: Iterable[tuple[int, float]]) -> bytes:
    """Return one time series; moments are in seconds since the epoch."""
    parts = [
        field(MESSAGE_1, field(MESSAGE_1, name.encode()) + field(MESSAGE_2, value.encode()))
        for name, value in sorted(labels.items())
    ]
    parts += [
        field(
            MESSAGE_2,
            bytes([DOUBLE_1]) + DOUBLE.pack(value) + bytes([NUMBER_2]) + varint(at * 1000),
        )
        for at, value in samples
    ]
    return field(MESSAGE_1, b"".join(parts))


def snappy(content: bytes) -> bytes:
    """Return the content as a snappy block of literals."""
    parts = [varint(len(content))]
    for at in range(0, len(content), LITERAL_BYTES):
        part = content[at : at + LITERAL_BYTES]
        parts += [bytes([LENGTH_OF_16_BITS]), struct.pack("<H", len(part) - 1), part]
    return b"".join(parts)
