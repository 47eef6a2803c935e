"""Normalized state of Home Assistant devices: versions, add-ons, alerts."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# Polled paths; those unknown to older devices are skipped.
PATHS = (
    "/info", "/core/info", "/supervisor/info", "/os/info", "/host/info", "/addons", "/backups",
    "/resolution/info", "/core/stats", "/supervisor/stats",
)  # fmt: skip
LONGEST = 32
MOST_ADDONS = 200
MOST_ALERTS = 50
Told = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Alert:
    kind: str
    about: str
    text: str = ""


def summary(told: Told) -> dict[str, Any]:
    """Return the fields of :class:`Home`, from the ``data`` of each path."""
    core, supervisor = told.get("/core/info", {}), told.get("/supervisor/info", {})
    system, host = told.get("/os/info", {}), told.get("/host/info", {})
    found: dict[str, Any] = {
        "core": short(core.get("version")),
        "core_latest": latest(core),
        "system": short(system.get("version")),
        "system_latest": latest(system),
        "supervisor_version": short(supervisor.get("version")),
        "supervisor_latest": latest(supervisor),
        "addons": list(addons(told)),
        "disk_free": number(host.get("disk_free")),
        "disk_total": number(host.get("disk_total")),
        "last_backup": last_backup(told.get("/backups", {})),
        "health": health(told),
    }
    pairs = [
        *((found[one], found[f"{one}_latest"]) for one in ("core", "system")),
        (found["supervisor_version"], found["supervisor_latest"]),
        *((one["version"], one["latest"]) for one in found["addons"]),
    ]
    found["updates"] = sum(bool(new) and old != new for old, new in pairs)
    return found


def short(value: Any) -> str:
    return value[:LONGEST] if isinstance(value, str) else ""


def latest(data: Mapping[str, Any]) -> str:
    return short(data.get("version_latest", data.get("last_version")))


def number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def rows_of(data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = data.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def addons(told: Told) -> Iterator[dict[str, str]]:
    """Yield the installed add-ons.

    In 2020, lists contain all, and states are elsewhere.
    """
    states = {
        row.get("slug"): row.get("state")
        for row in rows_of(told.get("/supervisor/info", {}), "addons")
    }
    for row in rows_of(told.get("/addons", {}), "addons")[:MOST_ADDONS]:
        slug = str(row.get("slug", ""))[:128]
        is_old = "installed" in row and not isinstance(row["installed"], bool)
        version = row.get("installed") if is_old else row.get("version")
        newest = row.get("version") if is_old else row.get("version_latest")
        if slug and version:
            yield {
                "slug": slug,
                "name": str(row.get("name") or slug)[:100],
                "version": short(version),
                "latest": short(newest),
                "state": short(row.get("state") or states.get(slug) or "unknown"),
            }


def last_backup(data: Mapping[str, Any]) -> datetime | None:
    times = []
    for row in (*rows_of(data, "backups"), *rows_of(data, "snapshots")):
        try:
            at = datetime.fromisoformat(str(row.get("date")))
        except ValueError:
            continue
        if at.tzinfo is not None:
            times.append(at)
    return max(times, default=None)


def health(told: Told) -> str:
    supervisor, resolution = told.get("/supervisor/info", {}), told.get("/resolution/info", {})
    if supervisor.get("healthy") is False or resolution.get("unhealthy"):
        return "unhealthy"
    if supervisor.get("supported") is False or resolution.get("unsupported"):
        return "unsupported"
    return "well" if supervisor else "unknown"


def alerts(told: Told) -> list[Alert]:
    """Return the issues of the resolution center, and failed add-ons."""
    found = [*_of_resolution(told.get("/resolution/info", {})), *_of_addons(addons(told))]
    return list({(one.kind, one.about): one for one in found}.values())[:MOST_ALERTS]


def _of_resolution(data: Mapping[str, Any]) -> Iterator[Alert]:
    for kind in ("unhealthy", "unsupported"):
        reasons = data.get(kind)
        for reason in reasons if isinstance(reasons, list) else []:
            yield Alert(kind, str(reason)[:200], f"The supervisor calls the system {kind}.")
    for row in rows_of(data, "issues"):
        parts = [str(row[one]) for one in ("type", "context", "reference") if row.get(one)]
        fixes = [
            str(one.get("type", "")).replace("_", " ")
            for one in rows_of(data, "suggestions")
            if one.get("context") == row.get("context")
            and one.get("reference") == row.get("reference")
        ]
        text = f"It suggests: {', '.join(fixes)}." if fixes else ""
        yield Alert("issue", " ".join(parts)[:200], text)


def _of_addons(rows: Iterable[Mapping[str, str]]) -> Iterator[Alert]:
    for row in rows:
        if row["state"] == "error":
            yield Alert("addon", row["slug"], f"{row['name']} has failed.")
