"""The newest values of devices in the text format that Prometheus scrapes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from controller.monitoring.engine.metrics import ABOUT, COUNTERS, Metric, split_key

OWN_HELP = {
    "muster_health": "1 for the state of health that a device is in.",
    "muster_reported_timestamp_seconds": "When the newest report was made.",
}
HEALTH = ("ok", "problem", "critical", "unknown")


@dataclass(frozen=True, slots=True)
class Exposed:
    """A device, its health and its newest values by series."""

    labels: Mapping[str, str]
    health: str
    values: Mapping[str, float]
    # When it was reported last, in seconds.
    at: int | None = None


def exposition(devices: Iterable[Exposed]) -> str:
    """Return all values, those of one metric together, as the format wants it."""
    found: dict[str, list[str]] = {}
    for device in devices:
        for name, labels, value in lines(device):
            text = ",".join(f'{key}="{escaped(one)}"' for key, one in labels.items())
            found.setdefault(name, []).append(f"{name}{{{text}}} {value:.10g}")
    parts = [
        f"# HELP {name} {help_of(name)}\n# TYPE {name} gauge\n" + "\n".join(rows)
        for name, rows in sorted(found.items())
    ]
    return "\n".join([*parts, ""]) if parts else ""


def help_of(name: str) -> str:
    """Return what a metric says, with its unit."""
    if name in OWN_HELP:
        return OWN_HELP[name]
    metric = Metric(name.removeprefix("muster_").removesuffix("_increment"))
    text = metric.replace("_", " ").capitalize()
    if name.endswith("_increment"):
        return f"{text} since the report before."
    about = ABOUT.get(metric)
    if about is None:
        return f"{text}."
    return f"{about.title} in {about.unit}." if about.unit else f"{about.title}."


def lines(device: Exposed) -> Iterator[tuple[str, Mapping[str, str], float]]:
    for state in HEALTH:
        is_so = float(device.health == state)
        yield "muster_health", {**device.labels, "state": state}, is_so
    if device.at is not None:
        yield "muster_reported_timestamp_seconds", device.labels, float(device.at)
    for key, value in device.values.items():
        metric, label = split_key(key)
        more = "_increment" if Metric(metric) in COUNTERS else ""
        labels = {**device.labels, "label": label} if label else device.labels
        yield f"muster_{metric}{more}", labels, value


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
