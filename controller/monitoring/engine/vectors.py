"""The values of one device at one moment, as bytes: a number for each slot, NaN where none is."""

import math
from array import array
from collections.abc import Mapping, Sequence

NAN = math.nan


def pack(values: Mapping[int, float], *, wide: bool = False) -> bytes:
    """Return the values by slot as little-endian numbers of 4 bytes, or of 8 where ``wide``."""
    numbers = array("d" if wide else "f", [NAN]) * (max(values, default=-1) + 1)
    for slot, value in values.items():
        numbers[slot] = value
    return numbers.tobytes()


def unpack(data: bytes | memoryview, *, wide: bool = False) -> Sequence[float]:
    """Return the value of each slot; NaN where there is none."""
    numbers = array("d" if wide else "f")
    numbers.frombytes(data)
    return numbers


def known(data: bytes | memoryview, *, wide: bool = False) -> dict[int, float]:
    """Return the values by slot, without those that are missing."""
    return {slot: one for slot, one in enumerate(unpack(data, wide=wide)) if one == one}  # noqa: PLR0124 - NaN
