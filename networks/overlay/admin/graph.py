"""Drawing of the mesh and form rows of the policy for a network's admin page."""

import math
import re
from datetime import datetime, timedelta
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import badge
from networks.overlay import rules
from networks.overlay.models import Member, Network, Node
from networks.overlay.rules import presence
from networks.overlay.rules.graph import picture

WIDTH, HEIGHT = 720, 420
# Above this number of members the labels would overlap.
MOST_NAMED = 40
BLANK_ROWS = 2
BEND = 0.22
MOST_ROWS = 200
MOST_DAYS = 3650
SHOWN_IN_MATRIX = 30
TONES = {True: "good", False: "bad", None: "mute"}
SAID = {True: "online", False: "offline", None: _("not known")}


def mesh(network: Network) -> dict[str, Any]:
    """Lay out members on a circle around the relay, with their traffic paths."""
    found = picture(network)
    members, at = found["members"], {}
    for number, member in enumerate(members):
        angle = 2 * math.pi * number / max(len(members), 1) + math.pi
        x = WIDTH / 2 + (WIDTH / 2 - 110) * math.cos(angle)
        y = HEIGHT / 2 + (HEIGHT / 2 - 60) * math.sin(angle)
        at[member["id"]] = round(x, 1), round(y, 1)
        latency = member["latency"]
        member |= {
            "x": round(x, 1),
            "y": round(y, 1),
            "tone": TONES[member["online"]],
            "said": SAID[member["online"]],
            "ms": f"{latency:.0f} ms" if latency is not None and member["online"] else "",
            "name_y": round(y + (-16 if y < HEIGHT / 2 else 28), 1),
        }
    direct = [(at[low], at[high]) for low, high in found["direct"]]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "relay": found["relay"]
        | {"x": WIDTH / 2, "y": HEIGHT / 2, "tone": TONES[found["relay"]["online"]]},
        "members": members,
        "direct": [arc(one, other) for one, other in direct],
        "named": len(members) <= MOST_NAMED,
        "left_out": found["total"] - len(members),
    }


def arc(one: tuple[float, float], other: tuple[float, float]) -> str:
    """Return a curved SVG path that avoids the relay in the middle."""
    across, down = other[0] - one[0], other[1] - one[1]
    x = (one[0] + other[0]) / 2 + down * BEND
    y = (one[1] + other[1]) / 2 - across * BEND
    return f"M{one[0]} {one[1]}Q{x:.1f} {y:.1f} {other[0]} {other[1]}"


def state(row: Member) -> str:
    if row.state == Member.State.PENDING:
        return badge(gettext("Pending approval"), "warn")
    return online_badge(row.node)


def online_badge(node: Node) -> str:
    online = presence.online(node)
    return badge(str(SAID[online]).capitalize(), TONES[online], node.evidence)


def words(text: str) -> list[str]:
    return [one for one in re.split(r"[\s,]+", text) if one]


def in_days(text: str) -> datetime | None:
    fits = text.isdecimal() and text.isascii() and len(text) < len(str(MOST_DAYS * 10))
    days = min(int(text), MOST_DAYS) if fits else 0
    return timezone.now() + timedelta(days=days) if days else None


def policy_rows(policy: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the policy's rules as form rows, followed by BLANK_ROWS empty ones."""
    rows = [
        {
            "action": one["action"],
            "from": ", ".join(one.get("from", ["*"])),
            "to": ", ".join(one.get("to", ["*"])),
            "protocol": one.get("protocol", "any"),
            "ports": ", ".join(str(port) for port in one.get("ports", [])),
        }
        for one in policy.get("rules", [])
    ]
    return (
        rows
        + [{"action": "", "from": "", "to": "", "protocol": "any", "ports": ""}] * BLANK_ROWS
    )


def test_rows(tests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = [{"protocol": "icmp", "port": ""} | one for one in tests]
    blank = {"from": "", "to": "", "protocol": "icmp", "port": "", "expect": "allow"}
    return rows + [blank] * BLANK_ROWS


def read_policy(data: QueryDict) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Parse the form's rows into a policy and its tests. Empty rows are ignored."""
    found = []
    columns = [
        data.getlist(f"rule-{name}") for name in ("action", "from", "to", "protocol", "ports")
    ]
    for action, sources, targets, protocol, ports in list(zip(*columns, strict=False))[
        :MOST_ROWS
    ]:
        if action:
            rule: dict[str, Any] = {
                "action": action, "from": words(sources) or ["*"], "to": words(targets) or ["*"],
            }  # fmt: skip
            if protocol != "any":
                rule["protocol"] = protocol
            if ports.strip():
                rule["ports"] = words(ports)
            found.append(rule)
    tests = []
    columns = [
        data.getlist(f"test-{name}") for name in ("from", "to", "protocol", "port", "expect")
    ]
    for source, target, protocol, port, expect in list(zip(*columns, strict=False))[:MOST_ROWS]:
        if source.strip() or target.strip():
            test: dict[str, Any] = {
                "from": source.strip(), "to": target.strip(), "protocol": protocol, "expect": expect,
            }  # fmt: skip
            if port.strip():
                test["port"] = (
                    int(port)
                    if port.strip().isdecimal() and len(port) < len("1000000")
                    else port
                )
            tests.append(test)
    return {"default": data.get("default", "allow"), "rules": found}, tests


def matrix(network: Network) -> dict[str, Any]:
    found = rules.matrix(network)
    names = found["members"][:SHOWN_IN_MATRIX]
    return {
        "names": names,
        "rows": [
            {"name": name, "cells": list(zip(row[:SHOWN_IN_MATRIX], ways, strict=False))}
            for name, row, ways in zip(names, found["rows"], found["ways"], strict=False)
        ],
        "left_out": len(found["members"]) - len(names),
    }
