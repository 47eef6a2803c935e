"""Devices that an action leaves out, as pages show them."""

from typing import Any

NAMED_MOST = 20


def group_by_reason(left: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Return the reasons, the most frequent first, with the number and first names of devices."""
    return [
        {
            "reason": reason,
            "count": len(names),
            "names": ", ".join(names[:NAMED_MOST]),
            "more": max(0, len(names) - NAMED_MOST),
        }
        for reason, names in sorted(left.items(), key=lambda one: -len(one[1]))
    ]
