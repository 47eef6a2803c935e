"""Waves of a rollout: sizes and notation."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
COUNT = re.compile(r"[1-9]\d{0,6}")
SHARE = re.compile(r"([1-9]\d?|100)%")
EVERYBODY = "100%"


def parse(text: str) -> list[str]:
    """Parse a comma-separated list of waves.

    >>> parse("1, 10%, 100%")
    ['1', '10%', '100%']
    """
    waves = [part.replace(" ", "") for part in text.split(",")]
    check(waves)
    return waves


def check(waves: object) -> None:
    """Raise ValueError unless these are counts and percentages that end with 100%."""
    if not isinstance(waves, list) or not waves:
        raise ValueError('A list of waves is expected, as in ["1", "10%", "100%"].')
    for wave in waves:
        known = isinstance(wave, str) and (COUNT.fullmatch(wave) or SHARE.fullmatch(wave))
        if not known:
            raise ValueError(f'{wave!r} is no wave: "5" is five devices, "10%" a tenth of all.')
    if waves[-1] != EVERYBODY:
        raise ValueError("The last wave must be 100%: it reaches all devices.")


def sizes(waves: Sequence[str], total: int) -> list[int]:
    """Return the cumulative number of devices after each wave.

    >>> sizes(["1", "10%", "100%"], 25)
    [1, 3, 25]
    """
    reached: list[int] = []
    for wave in waves:
        share = SHARE.fullmatch(wave)
        wanted = math.ceil(total * int(share[1]) / 100) if share else int(wave)
        reached.append(min(total, max(wanted, reached[-1] if reached else 0)))
    return reached


def assign_waves(waves: Sequence[str], items: Sequence[Item]) -> Iterator[tuple[int, Item]]:
    """Yield each item with the number of its wave."""
    limits = sizes(waves, len(items))
    for at, item in enumerate(items):
        yield next(number for number, limit in enumerate(limits) if at < limit), item
