"""Tables of the Home Assistant fleet: versions, add-ons and states."""

from collections import Counter
from typing import Any

from controller.base.admin import admin_url, badge
from controller.devices.models import Device
from supervisor_proxy.models import Home

STATES = {"started": "good", "startup": "busy", "stopped": "mute", "error": "bad"}
BACKUPS = 20
MOST_COLUMNS = 40


def version(old: str, new: str) -> str:
    if not old:
        return "-"
    return badge(f"{old} → {new}", "warn") if new and new != old else badge(old, "good")


def host_of(data: dict[str, Any]) -> list[list[str]]:
    host, info = data.get("/host/info", {}), data.get("/info", {})
    found = {
        "Host name": host.get("hostname"), "Operating system": host.get("operating_system"),
        "Kernel": host.get("kernel"), "Machine": info.get("machine"),
        "Channel": info.get("channel"), "Time zone": info.get("timezone"),
    }  # fmt: skip
    return [[name, str(value)[:100]] for name, value in found.items() if value]


def backups_of(data: dict[str, Any]) -> list[dict[str, str]]:
    told = data.get("/backups", {})
    rows = told.get("backups", told.get("snapshots", []))
    found = [
        {
            name: str(row.get(name) or "")[:64]
            for name in ("slug", "name", "date", "type", "size")
        }
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict)
    ]
    return sorted(found, key=lambda row: row["date"], reverse=True)[:BACKUPS]


def table_of(rows: list[Home]) -> dict[str, Any]:
    """Return the columns of the most common add-ons and the outlying versions."""
    names: dict[str, str] = {}
    versions: dict[str, Counter[str]] = {}
    for home in rows:
        for one in home.addons:
            names[one["slug"]] = one["name"]
            versions.setdefault(one["slug"], Counter())[one["version"]] += 1
    order = sorted(names, key=lambda slug: (-versions[slug].total(), slug))
    slugs = order[:MOST_COLUMNS]
    usual = {slug: versions[slug].most_common(1)[0][0] for slug in slugs}
    return {
        "columns": [{"slug": slug, "name": names[slug]} for slug in slugs],
        "left_out": len(order) - len(slugs),
        "lines": [
            {
                "device": home.supervisor.device.name,
                "link": f"{admin_url(Device, 'change', home.supervisor.device_id)}#home",
                "cells": [cell(home, slug, usual[slug]) for slug in slugs],
            }
            for home in rows
        ],
    }


def cell(home: Home, slug: str, usual: str) -> dict[str, Any] | None:
    one = next((addon for addon in home.addons if addon["slug"] == slug), None)
    if one is None:
        return None
    return {
        "badge": badge(one["version"], STATES.get(one["state"], "mute"), one["state"]),
        "update": one["latest"] if one["latest"] not in {"", one["version"]} else "",
        "differs": one["version"] != usual,
    }
