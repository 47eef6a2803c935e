"""The tables of docs/vendors.md, from the registry of features and the vendors' published calls.

``python -m tests.fleet.vendor_tables`` writes them into the page; a test holds them current.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from networks.gateways.engine.features import ALL, FEATURES, VENDORS, Feature
from networks.gateways.engine.features.versions import KNOWN
from tests.fleet.contract import contract_of

FREESDN = Path(__file__).parents[1] / "contract" / "freesdn_features.json"
PAGE = Path(__file__).parents[2] / "docs" / "vendors.md"
BEGIN, END = "<!-- tables: python -m tests.fleet.vendor_tables -->", "<!-- end of tables -->"
HEAD = "| feature | operations | versions | takes at the portal | needs at the vendor |"
# Calls that no driver makes, though they are of the same thing.
UNUSED = re.compile(r"replace_all|delete_many|\.state$|toggle|\.read$")


def versions(one: Feature) -> str:
    """The versions that are written: what is newer is only read."""
    first, last = KNOWN[one.vendor]
    return f"{one.since or first} to {last}"


def needs(one: Feature) -> str:
    """The least that the vendor's own user, key or token may do for all operations."""
    if one.vendor == "openwrt":
        return f"`uci`: {one.path}" if one.path else f"`ubus`: {one.action.replace('/', ' ')}"
    found = dict.fromkeys(
        text
        for call in contract_of(one.vendor).calls
        if one.key in call.told.get("feature", []) and not UNUSED.search(call.id)
        for text in told(call.told.get("privilege"), one)
    )
    return ", ".join(found)


def told(privilege: Any, one: Feature) -> Iterator[str]:
    if isinstance(privilege, str) and privilege.startswith("["):
        yield from of_proxmox(json.loads(privilege))
    elif isinstance(privilege, str) and privilege != "any signed in":
        for name in privilege.split(" | "):
            if one.vendor != "pfsense":
                yield f"`{name}`"
            else:
                yield f"`{name.rpartition('-')[0]}-*`"


def of_proxmox(check: list[Any]) -> Iterator[str]:
    """A check of Proxmox: ``["perm", path, privileges]``, or several with and, or."""
    if check and check[0] == "perm":
        names = " or ".join(check[2]) if "any" in check else ", ".join(check[2])
        yield f"`{names}` on `{check[1]}`"
    for inner in check[1:]:
        if isinstance(inner, list) and inner and isinstance(inner[0], str):
            yield from of_proxmox(inner) if inner[0] in {"perm", "and", "or"} else ()


def row(one: Feature) -> str:
    verbs = "do" if one.action else ", ".join(one.operations)
    verbs += ", move" if one.is_ordered else ""
    role = ", site_admin" if one.catastrophic else ""
    return (
        f"| `{one.key}` | {verbs} | {versions(one)} | {one.permission}{role} | {needs(one)} |"
    )


def table(vendor: str) -> str:
    rows = [row(one) for one in ALL if one.vendor == vendor]
    return "\n".join([f"### {vendor}", "", HEAD, "|---|---|---|---|---|", *rows])


def freesdn_rows() -> list[tuple[str, str, str, str, str]]:
    """FreeSDN's operations: vendor, feature, area, permission (! is of site_admin), operation."""
    return [
        (vendor, name, area.replace("_", "-"), permission, operation)
        for vendor, features in json.loads(FREESDN.read_text()).items()
        for name, (area, permission, operations) in features.items()
        for operation in operations.split()
    ]


def is_taken(name: str, operation: str) -> bool:
    """Whether the portal takes an operation under FreeSDN's name for it."""
    one = FEATURES.get(name)
    if one is None or (
        operation == "create" and not one.action and not name.endswith("toggle")
    ):
        return one is not None and operation in one.operations
    return one.as_asked(operation, {}, "")[0] in one.operations


def freesdn_table() -> str:
    rows = freesdn_rows()
    lines = ["| vendor | FreeSDN's operations | taken here |", "|---|---|---|"]
    for vendor in [*dict.fromkeys(row[0] for row in rows), ""]:
        mine = [row for row in rows if vendor in {"", row[0]}]
        count = sum(is_taken(name, operation) for _, name, _, _, operation in mine)
        lines.append(f"| {f'`{vendor}`' if vendor else 'all'} | {len(mine)} | {count} |")
    return "\n".join(lines)


def tables() -> str:
    head = f"### FreeSDN\n\n{freesdn_table()}"
    return "\n\n".join([*map(table, sorted(VENDORS)), head])


def main() -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}")


if __name__ == "__main__":
    main()
