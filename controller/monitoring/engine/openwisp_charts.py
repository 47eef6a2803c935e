"""Charts as OpenWISP Monitoring's API describes them: titles, colors, traces and their order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from controller.monitoring.engine.metrics import Metric, series_key, split_key
from controller.monitoring.engine.points import Points

BLUE, ORANGE, GREEN, RED, GRAY = "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#7f7f7f"
PURPLE = "#9467bd"
GIGA = 1e9
SMALL = 0.01
# A chart's values of a series, and one value for all of its range.
Aggregate = Callable[[Points], tuple[list[float | None], float | None]]


def mean(scale: float = 1) -> Aggregate:
    def found(points: Points) -> tuple[list[float | None], float | None]:
        total = sum(points.count)
        sums = sum(one for one in points.sums() if one is not None)
        values = [None if one is None else one * scale for one in points.mean]
        return values, sums / total * scale if total else None

    return found


def whole(points: Points) -> tuple[list[float | None], float | None]:
    values, summary = mean()(points)
    return [None if one is None else float(round(one)) for one in values], (
        None if summary is None else float(round(summary))
    )


def most_used(points: Points) -> tuple[list[float | None], float | None]:
    """Return the commoner one of the lowest and the highest value of each bucket, and of all."""
    values: list[float | None] = []
    votes: dict[float, int] = {}
    for count, mean, low, high in zip(
        points.count, points.mean, points.low, points.high, strict=True
    ):
        if mean is None or low is None or high is None:
            values.append(None)
            continue
        values.append(high if mean - low >= high - mean else low)
        votes[values[-1]] = votes.get(values[-1], 0) + count  # type: ignore[index, arg-type]
    return values, max(votes, key=lambda one: votes[one], default=None)


def highest(points: Points) -> tuple[list[float | None], float | None]:
    known = [one for one in points.high if one is not None]
    return list(points.high), max(known, default=None)


def lowest(points: Points) -> tuple[list[float | None], float | None]:
    known = [one for one in points.low if one is not None]
    return list(points.low), min(known, default=None)


def total(points: Points) -> tuple[list[float | None], float | None]:
    values = [None if one is None else one / GIGA for one in points.sums()]
    return values, sum(one for one in values if one is not None)


@dataclass(frozen=True, slots=True)
class Trace:
    metric: Metric
    aggregate: Aggregate


@dataclass(frozen=True, slots=True)
class Chart:
    """One kind of chart. Of a metric with labels, there is a chart for each label."""

    order: int
    title: str
    type: str
    unit: str
    traces: Mapping[str, Trace]
    description: str
    summary_labels: Sequence[str] | None = None
    colors: Sequence[str] | None = None
    colorscale: Mapping[str, Any] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    # One chart of all labels together: iperf3's of a device, whichever check made the test.
    joined: bool = False


UPTIME_SCALE = {
    "max": 100, "min": 0, "label": "Rate (%)",
    "scale": [[0, "#c13000"], [0.1, "#c13000"], [0.5, "#deed0e"], [1, "#7db201"]],
    "map": [[100, "#7db201", "Reachable"], [90, "#cbb218", "Mostly reachable"],
            [50, "#deed0e", "Partly reachable"], [10, "#db7d0f", "Mostly unreachable"],
            [None, "#c13000", "Unreachable"]],
    "fixed_value": 100,
}  # fmt: skip
ACCESS_SCALE = {
    "max": 5, "min": 0, "label": "Technology",
    "scale": [[0, "#377873"], [0.2, "#67a7a7"], [0.4, "#d2a52e"], [0.6, "#63a7cf"],
              [0.8, "#1f77b4"], [1, "#7db201"]],
    "map": [[5, "#7db201", "5G"], [4, "#1f77b4", "LTE"], [3, "#63a7cf", "UMTS"],
            [2, "#d2a52e", "EVDO"], [1, "#67a7a7", "CDMA1x"], [None, "#377873", "GSM"]],
    "fixed_value": 5,
}  # fmt: skip
# Tests are rare: their points are connected over buckets without any.
CONNECTED: Mapping[str, Any] = {"connect_points": True}
OPEN: Mapping[str, Any] = {"connect_points": True, "fill": "none"}
CHARTS: Sequence[Chart] = (
    Chart(
        200, "Ping Success Rate", "bar", "%",
        {"uptime": Trace(Metric.REACHABLE, mean(100))},
        "How many of the pings to the device were answered.",
        ["Average Ping Success Rate"], colorscale=UPTIME_SCALE,
    ),
    Chart(
        205, "Signal Strength", "scatter", " dBm",
        {"signal_power": Trace(Metric.SIGNAL_POWER, whole),
         "signal_strength": Trace(Metric.SIGNAL_STRENGTH, whole)},
        "How strong the signal of the modem is.",
        ["Average Signal Power", "Average Signal Strength"], [ORANGE, BLUE],
    ),
    Chart(
        206, "Signal Quality", "scatter", " dB",
        {"signal_quality": Trace(Metric.SIGNAL_QUALITY, whole),
         "signal_to_noise_ratio": Trace(Metric.SIGNAL_NOISE, whole)},
        "How good the signal of the modem is.",
        ["Average Signal Quality", "Average Signal To Noise Ratio"], [ORANGE, BLUE],
    ),
    Chart(
        207, "Access Technology", "bar", "",
        {"access_tech": Trace(Metric.ACCESS_TECHNOLOGY, most_used)},
        "By which technology the modem is connected.",
        ["Most used mobile access technology"], colorscale=ACCESS_SCALE,
    ),
    Chart(
        210, "Packet loss", "bar", "%", {"packet_loss": Trace(Metric.LOSS, mean())},
        "How many of the packets to the device were lost.", ["Average packet loss"], [RED],
    ),
    Chart(
        220, "Round Trip Time", "scatter", " ms",
        {"RTT_average": Trace(Metric.RTT, mean()), "RTT_max": Trace(Metric.RTT_MAX, mean()),
         "RTT_min": Trace(Metric.RTT_MIN, mean())},
        "How long a packet takes to the device and back.",
        ["Average RTT", "Average Max RTT", "Average Min RTT"], [BLUE, RED, GREEN],
    ),
    Chart(
        240, "Traffic: {label}", "stackedbar+lines", "adaptive_prefix+B",
        {"download": Trace(Metric.RX_BYTES, total), "upload": Trace(Metric.TX_BYTES, total)},
        "What was received and sent by {label}.",
        ["Total traffic", "Total download traffic", "Total upload traffic"],
        [GRAY, BLUE, ORANGE],
        more={
            "calculate_total": True,
            "fill": "none",
            "trace_type": {"download": "stackedbar", "upload": "stackedbar", "total": "lines"},
            "trace_order": ["total", "download", "upload"],
            "yaxis": {"zeroline": False},
        },
    ),
    Chart(
        250, "Memory Usage", "scatter", "%", {"memory_usage": Trace(Metric.MEMORY, mean())},
        "How much of the memory is used.", ["Memory Usage"], [BLUE],
    ),
    Chart(
        260, "CPU Load", "scatter", "%", {"CPU_load": Trace(Metric.CPU, mean())},
        "The load of the last minute for each processor.", ["CPU Load"], [BLUE],
    ),
    Chart(
        270, "Disk Usage", "scatter", "%", {"disk_usage": Trace(Metric.DISK, mean())},
        "How much of the fullest file system is used that can be written to.",
        ["Disk Usage"], [BLUE],
    ),
    Chart(
        280, "Bandwidth", "scatter", "adaptive_prefix+bps",
        {"TCP": Trace(Metric.TCP_RATE, mean(1 / GIGA)),
         "UDP": Trace(Metric.UDP_RATE, mean(1 / GIGA))},
        "Bits per second in the tests by iperf3.",
        ["TCP bitrate", "UDP bitrate"], [BLUE, RED], more=OPEN, joined=True,
    ),
    Chart(
        290, "Transferred Data", "scatter", "adaptive_prefix+B",
        {"TCP": Trace(Metric.TCP_BYTES, total), "UDP": Trace(Metric.UDP_BYTES, total)},
        "What the tests by iperf3 sent.",
        ["TCP transferred data", "UDP transferred data"], [BLUE, RED], more=OPEN, joined=True,
    ),
    Chart(
        300, "Retransmits", "scatter", "", {"retransmits": Trace(Metric.RETRANSMITS, mean())},
        "Segments that the tests over TCP had to send again.",
        ["Restransmits"], [GRAY], more=CONNECTED, joined=True,
    ),
    Chart(
        330, "Jitter", "scatter", " ms", {"jitter": Trace(Metric.JITTER, mean())},
        "How much the delay of datagrams varied in the tests over UDP.",
        ["Jitter"], [PURPLE], more=CONNECTED, joined=True,
    ),
    Chart(
        340, "Datagram", "scatter", "",
        {"lost_datagram": Trace(Metric.LOST_DATAGRAMS, mean()),
         "total_datagram": Trace(Metric.DATAGRAMS, mean())},
        "Datagrams that were sent, and that were lost, in the tests over UDP.",
        ["Lost datagram", "Total datagram"], [RED, GREEN], more=OPEN, joined=True,
    ),
    Chart(
        350, "Datagram Loss", "scatter", "%",
        {"datagram_loss": Trace(Metric.DATAGRAM_LOSS, mean())},
        "The share of datagrams that was lost in the tests over UDP.",
        ["Datagram loss"], [RED], more=CONNECTED, joined=True,
    ),
)  # fmt: skip
CLIENTS = Chart(
    230, "WiFi clients: {label}", "bar", "", {}, "How many clients were connected to {label}.",
    ["Total Unique WiFi clients"], [BLUE],
)  # fmt: skip

GENERAL_CLIENTS = Chart(
    230, "General WiFi Clients", "bar", "", {},
    "How many different clients were connected in the whole network.",
    ["Total Unique WiFi clients"], [BLUE],
)  # fmt: skip
GENERAL_TRAFFIC = replace(
    next(chart for chart in CHARTS if chart.order == 240),  # noqa: PLR2004 - traffic
    title="General Traffic",
    description="Traffic received and sent by all uplinks.",
)


def series_of(layout: Sequence[str]) -> list[str]:
    """Return the series that any chart shows."""
    shown = {trace.metric for chart in CHARTS for trace in chart.traces.values()}
    return [key for key in layout if split_key(key)[0] in shown]


def drawn(
    points: Mapping[str, Points], order: Sequence[Chart] = CHARTS
) -> list[dict[str, Any]]:
    """Return the charts of a device's points; those without any are left out."""
    labels: dict[str, list[str]] = {}
    for key in points:
        metric, label = split_key(key)
        labels.setdefault(metric, []).append(label)
    found = []
    for chart in order:
        metrics = [trace.metric for trace in chart.traces.values()]
        some = dict.fromkeys(one for metric in metrics for one in labels.get(metric, []))
        if chart.joined:
            found.append(_drawn(chart, "", _joined(points, metrics)))
        else:
            found += [_drawn(chart, label, points) for label in some]
    return [chart for chart in found if chart is not None]


def _joined(points: Mapping[str, Points], metrics: Sequence[Metric]) -> dict[str, Points]:
    """Return the points of these metrics without labels."""
    found: dict[str, Points] = {}
    for key, one in points.items():
        metric = split_key(key)[0]
        if metric in metrics:
            whole_device = found.setdefault(metric, Points.empty(len(one.count)))
            whole_device.join(one)
    return found


def _drawn(chart: Chart, label: str, points: Mapping[str, Points]) -> dict[str, Any] | None:
    traces, summary = [], {}
    for name, trace in sorted(chart.traces.items()):
        found = points.get(series_key(trace.metric, label))
        if found is None or found.is_empty:
            continue
        values, whole_range = trace.aggregate(found)
        traces.append([name, [rounded(one) for one in values]])
        summary[name] = rounded(whole_range)
    return described(chart, label, traces, summary) if traces else None


def described(
    chart: Chart, label: str, traces: list[Any], summary: dict[str, Any]
) -> dict[str, Any]:
    """Return a chart in the words of the API."""
    return {
        "order": chart.order,
        "traces": traces,
        "summary": summary,
        "description": chart.description.format(label=label),
        "title": chart.title.format(label=label),
        "type": chart.type,
        "unit": chart.unit,
        "summary_labels": chart.summary_labels,
        "colors": chart.colors,
        "colorscale": chart.colorscale,
        **chart.more,
    }


def in_order(charts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the charts by the text of their order and title, as the API sorts them."""
    ordered = sorted(charts, key=lambda one: f"{one['order']} {one['title']}")
    return [{name: one for name, one in chart.items() if name != "order"} for chart in ordered]


def rounded(value: float | None) -> float | None:
    if value is None:
        return None
    return round(value, 4 if abs(value) < SMALL else 2)


def as_rows(x: Sequence[str], charts: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """Return the charts as the rows of a table."""
    columns = [(f"{name} - {chart['title']}", values) for chart in charts
               for name, values in chart["traces"]]  # fmt: skip
    head = ["time", *(name for name, _ in columns)]
    return [
        head,
        *([label, *(values[at] for _, values in columns)] for at, label in enumerate(x)),
    ]
