"""Charts of the portal's own pages: which there are, in which units, and how they are drawn."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.monitoring.engine.buckets import Buckets
from controller.monitoring.engine.metrics import Limit, Metric, series_key, split_key
from controller.monitoring.engine.points import Points

# A page draws two series in one chart at most; further interfaces are chosen from a list.
MOST_TRACES = 2
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of one metric, or of two that are read together."""

    id: str
    title: str
    unit: str
    metrics: Mapping[Metric, str]
    # line, step (counts and losses hold until they change), or mirrored (sent below the axis).
    kind: str = "line"
    # Percentages go from 0 to 100; anything else as high as it has to.
    top: float | None = None
    # Metrics whose lowest and highest stand for the band around the mean.
    band: tuple[Metric, Metric] | None = None


CHARTS: Sequence[Chart] = (
    Chart(
        "rtt", "Round trip", "ms", {Metric.RTT: "Round trip"},
        band=(Metric.RTT_MIN, Metric.RTT_MAX),
    ),
    Chart("loss", "Packet loss", "%", {Metric.LOSS: "Lost"}, "step"),
    Chart(
        "traffic", "Traffic of {label}", "bit/s",
        {Metric.RX_BYTES: "Received", Metric.TX_BYTES: "Sent"}, "mirrored",
    ),
    Chart("clients", "Wi-Fi clients", "", {Metric.WIFI_CLIENTS: "Clients"}, "step"),
    Chart("cpu", "CPU load", "%", {Metric.CPU: "CPU load"}, top=100),
    Chart("memory", "Memory", "%", {Metric.MEMORY: "Memory"}, top=100),
    Chart("disk", "Storage", "%", {Metric.DISK: "Storage"}, top=100),
    Chart("temperature", "Temperature", "°C", {Metric.TEMPERATURE: "Temperature"}),
    Chart(
        "signal", "Mobile signal of {label}", "dBm", {Metric.SIGNAL_STRENGTH: "Signal"},
    ),
    Chart("checks", "Duration of checks", "ms", {Metric.CHECK_TIME: "Duration"}),
    Chart("tcp_rate", "Bandwidth (TCP)", "bit/s", {Metric.TCP_RATE: "TCP"}),
    Chart("udp_rate", "Bandwidth (UDP)", "bit/s", {Metric.UDP_RATE: "UDP"}),
    Chart("jitter", "Jitter", "ms", {Metric.JITTER: "Jitter"}),
    Chart("datagram_loss", "Datagram loss", "%", {Metric.DATAGRAM_LOSS: "Lost"}),
)  # fmt: skip
SHOWN = frozenset({
    Metric.REACHABLE, *(metric for chart in CHARTS for metric in chart.metrics),
    Metric.RTT_MIN, Metric.RTT_MAX,
})  # fmt: skip


def series_of(layout: Iterable[str]) -> list[str]:
    """Return the series that the charts of a page are made of."""
    return [key for key in layout if split_key(key)[0] in SHOWN]


def interfaces_of(points: Mapping[str, Points]) -> list[str]:
    """Return the interfaces that carried traffic, the busiest first."""
    totals: dict[str, float] = {}
    for key, found in points.items():
        metric, label = split_key(key)
        if metric in {Metric.RX_BYTES, Metric.TX_BYTES} and not found.is_empty:
            totals[label] = totals.get(label, 0) + sum(filter(None, found.sums()))
    return sorted(totals, key=lambda label: (-totals[label], label))


def drawn(
    points: Mapping[str, Points],
    buckets: Buckets,
    limits: Mapping[Metric, Limit],
    interface: str = "",
) -> list[dict[str, Any]]:
    """Return the charts that have values; traffic is that of one interface."""
    found = []
    for chart in CHARTS:
        if chart.kind == "mirrored":
            wanted = [interface] if interface else []
        else:
            wanted = labels_of(points, chart)
        traces = [
            one
            for label in wanted[:MOST_TRACES]
            for one in traces_of(points, chart, label, buckets, many=len(wanted) > 1)
        ]
        if traces:
            found.append(described(chart, traces, limits, wanted[0]))
    return found


def labels_of(points: Mapping[str, Points], chart: Chart) -> list[str]:
    """Return the labels of which a chart has values, in the order of their highest."""
    found: dict[str, float] = {}
    for key, one in points.items():
        metric, label = split_key(key)
        if metric in chart.metrics and not one.is_empty:
            found[label] = max(value for value in one.high if value is not None)
    return sorted(found, key=lambda label: (-found[label], label))


def traces_of(
    points: Mapping[str, Points], chart: Chart, label: str, buckets: Buckets, *, many: bool
) -> list[dict[str, Any]]:
    found = []
    for metric, name in chart.metrics.items():
        one = points.get(series_key(metric, label))
        if one is None or one.is_empty:
            continue
        low, high = one.low, one.high
        if chart.band is not None:
            lowest, highest = (points.get(series_key(other, label)) for other in chart.band)
            low, high = (lowest.low if lowest else low), (highest.high if highest else high)
        mean = one.mean
        if chart.kind == "mirrored":
            mean = rates(one, buckets)
            low = high = []
        found.append(
            {
                "name": label if many else name,
                "mean": rounded(mean), "low": rounded(low), "high": rounded(high),
            }
        )  # fmt: skip
    return found


def rates(points: Points, buckets: Buckets) -> list[float | None]:
    """Return bytes by bucket as bit/s."""
    edges = buckets.edges
    return [
        None if total is None else 8 * total / (edges[at + 1] - edges[at])
        for at, total in enumerate(points.sums())
    ]


def described(
    chart: Chart, traces: list[dict[str, Any]], limits: Mapping[Metric, Limit], label: str
) -> dict[str, Any]:
    limit = next((limits[metric] for metric in chart.metrics if metric in limits), None)
    return {
        "id": chart.id,
        "title": chart.title.format(label=label),
        "unit": chart.unit,
        "kind": chart.kind,
        "top": chart.top,
        "limit": None
        if limit is None or not limit.enabled
        else {"value": limit.value, "minutes": limit.minutes, "source": limit.source},
        "traces": traces,
    }


def rounded(values: Sequence[float | None]) -> list[float | None]:
    """Return the values with as many digits as anybody can see."""
    return [None if one is None else float(f"{one:.{DIGITS}g}") for one in values]
