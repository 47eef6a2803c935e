"""What a report says, whoever made it: values, counters, clients, and what was left out.

One odd part never costs the rest: what is out of form is left out and named.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.monitoring.engine.metrics import LONGEST_LABEL, series_key

LARGEST = 2**64
MOST_COMPLAINTS = 20
LONGEST_TEXT = 128
SPEED_DIGITS = 6
MEGABIT = 1_000_000.0


@dataclass(slots=True)
class Client:
    """A station of an access point."""

    mac: str
    interface: str
    ssid: str = ""
    signal: float | None = None
    # Wi-Fi generations it speaks; None where its radio cannot do them.
    ht: bool | None = None
    vht: bool | None = None
    he: bool | None = None
    wmm: bool = False
    wds: bool = False
    wps: bool = False


@dataclass(slots=True)
class Report:
    """The sample set of one device at one moment."""

    uptime: float | None = None
    hostname: str = ""
    # By the name of the series.
    values: dict[str, float] = field(default_factory=dict)
    counters: dict[str, float] = field(default_factory=dict)
    # Bit/s of each interface whose speed is known.
    speeds: dict[str, float] = field(default_factory=dict)
    clients: list[Client] = field(default_factory=list)
    # Access-point interfaces, also those without clients.
    access_points: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def complain(self, text: str) -> None:
        if len(self.complaints) < MOST_COMPLAINTS:
            self.complaints.append(text[:LONGEST_TEXT])

    def put(self, metric: str, value: float | None, label: str = "") -> None:
        """Keep a value that is a number."""
        if value is not None:
            self.values[series_key(metric, label)] = value

    def count(self, metric: str, value: float | None, label: str) -> None:
        """Keep the state of a counter."""
        if value is not None:
            self.counters[series_key(metric, label)] = value


def number(value: Any, low: float = -1e15, high: float = LARGEST) -> float | None:
    """Return the value as a number within its bounds; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Not a number is in no range, and Python compares whole numbers of any length.
    return float(value) if low <= value < high else None


def text(value: Any, longest: int = LONGEST_TEXT) -> str:
    """Return a text without characters that a database refuses; empty for anything else."""
    return value.replace("\x00", "").strip()[:longest] if isinstance(value, str) else ""


def megabits(value: Any) -> int | None:
    """Return the number that a text of digits is; None for anything else, also for 0."""
    digits = text(value)
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= SPEED_DIGITS
    return (int(digits) or None) if is_number else None


def link_speed(interface: Mapping[str, Any]) -> float | None:
    """Return bit/s of a speed such as ``1000F``; None of ``-1F``, which is a port without link."""
    found = megabits(text(interface.get("speed")).rstrip("FH"))
    return None if found is None else found * MEGABIT


def mapping(value: Any) -> Mapping[str, Any]:
    """Return an object, or an empty one: Lua writes empty lists and objects alike."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the objects of a list with their place in it."""
    if isinstance(value, list):
        yield from ((at, one) for at, one in enumerate(value) if isinstance(one, dict))


def label(value: Any) -> str:
    """Return a name as series are labeled by it."""
    return text(value, LONGEST_LABEL)
