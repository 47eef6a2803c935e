"""Where a rule is among the others, and where it is put.

A position is ``first``, ``last``, ``before:<id>`` or ``after:<id>``. A gateway tells where a rule
is as two of them, one for each side, as in ``after:*1 before:*3``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

NAME = "position"
SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": r"^(first|last|(before|after):[A-Za-z0-9_.*:-]{1,64})$",
    "description": "Where it is put: first, last, before:<id> or after:<id>.",
}


# Values that match everything, and properties that match nothing.
ANY = {"", "any", "all", "*", "0.0.0.0/0", "::/0", "0", "false"}
NEUTRAL = {
    NAME, "enable", "status", "comment", "descr", "description", "name", "log", "loggingEnabled", "enabled", "disabled",
    "quick", "direction", "sequence", "ipprotocol", "family", "floating", "gateway", "passthrough",
    "ipProtocolScope.ipVersion", "action.allowReturnTraffic",
}  # fmt: skip
OFF = (
    ("enabled", {"0", "false"}), ("enable", {"0"}), ("status", {"0", "false"}),
    ("disabled", {"1", "true"}),
)  # fmt: skip


def ends_all(
    final: Sequence[str], chain: Sequence[str], everything: Mapping[str, str],
    row: Mapping[str, str],
) -> bool:  # fmt: skip
    """Return whether nothing of its chain goes past a rule: it drops whatever comes."""
    if not final or row.get(final[0], "") not in final[1:]:
        return False
    if any(row.get(name, "") in values for name, values in OFF):
        return False
    known = {*NEUTRAL, *chain, final[0]}
    return all(
        text in ANY or text == everything.get(name)
        for name, text in row.items()
        if name not in known
    )


def position_of(ids: Sequence[str], target: str) -> str:
    """Return where a rule is, as its neighbors tell; empty if it is not there."""
    if target not in ids:
        return ""
    at = ids.index(target)
    above = f"after:{ids[at - 1]}" if at else "first"
    below = f"before:{ids[at + 1]}" if at + 1 < len(ids) else "last"
    return f"{above} {below}"


def arranged(ids: Sequence[str], target: str, position: str) -> list[str] | None:
    """Return the ids with a rule put to a position; None if the position names no rule there.

    Of several positions, the first that names a rule counts.
    """
    rest = [one for one in ids if one != target]
    for token in position.split():
        side, _, other = token.partition(":")
        if other and other not in rest:
            continue
        ends = {"first": 0, "last": len(rest)}
        at = ends[side] if side in ends else rest.index(other) + (side == "after")
        return [*rest[:at], target, *rest[at:]]
    return None


def is_asked_for(position: str) -> bool:
    """Return whether somebody asks for a position; where a rule was tells both sides."""
    return len(position.split()) == 1


def is_at(wanted: str, held: str) -> bool:
    """Return whether a rule is where it was to be put.

    What a gateway told itself is never a difference: rules around this one come and go.
    """
    return not is_asked_for(wanted) or wanted in held.split()
