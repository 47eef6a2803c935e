"""Every metric that the portal knows: its unit, how it adds up, and its usual limit."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Metric(StrEnum):
    """What is measured. A series is a metric and a label, such as an interface's name."""

    REACHABLE = "reachable"
    LOSS = "loss"
    RTT = "rtt"
    RTT_MIN = "rtt_min"
    RTT_MAX = "rtt_max"
    PORT = "port"
    UPTIME = "uptime"
    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    TEMPERATURE = "temperature"
    RX_BYTES = "rx_bytes"
    TX_BYTES = "tx_bytes"
    PACKETS = "packets"
    ERRORS = "errors"
    WIFI_CLIENTS = "wifi_clients"
    CLIENT_SIGNAL = "client_signal"
    SIGNAL_STRENGTH = "signal_strength"
    SIGNAL_POWER = "signal_power"
    SIGNAL_QUALITY = "signal_quality"
    SIGNAL_NOISE = "signal_noise"
    ACCESS_TECHNOLOGY = "access_technology"
    # Of checks that the portal makes, by their names.
    CHECK = "check"
    CHECK_TIME = "check_time"
    TCP_RATE = "tcp_rate"
    UDP_RATE = "udp_rate"
    RETRANSMITS = "retransmits"
    JITTER = "jitter"
    DATAGRAM_LOSS = "datagram_loss"
    TCP_BYTES = "tcp_bytes"
    UDP_BYTES = "udp_bytes"
    DATAGRAMS = "datagrams"
    LOST_DATAGRAMS = "lost_datagrams"
    # Of an organization: how many devices are measured, and how many of them answer or report.
    DEVICES = "devices"
    ONLINE = "online"
    # Judged, but not sampled: they follow from other rows.
    DATA_RECEIVED = "data_received"
    CONFIG_APPLIED = "config_applied"


# Counters arrive as totals since boot and are kept as increments, which a bucket adds up.
COUNTERS = frozenset({Metric.RX_BYTES, Metric.TX_BYTES, Metric.PACKETS, Metric.ERRORS})
# Measured by the portal itself; all others are told by the device.
CHECKED = frozenset(
    {Metric.REACHABLE, Metric.LOSS, Metric.RTT, Metric.RTT_MIN, Metric.RTT_MAX, Metric.PORT}
)
# Of checks with a name; each stays until the check runs again.
ACTIVE = frozenset({
    Metric.CHECK, Metric.CHECK_TIME, Metric.TCP_RATE, Metric.UDP_RATE, Metric.RETRANSMITS,
    Metric.JITTER, Metric.DATAGRAM_LOSS, Metric.TCP_BYTES, Metric.UDP_BYTES, Metric.DATAGRAMS,
    Metric.LOST_DATAGRAMS,
})  # fmt: skip


class Operator(StrEnum):
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Limit:
    """When a value is bad, and for how many minutes it has to be before people are told."""

    operator: Operator
    value: float
    minutes: int
    enabled: bool = True
    # Where the limit was set, in words for the page.
    source: str = "portal default"

    def is_crossed(self, value: float) -> bool:
        return value > self.value if self.operator == Operator.ABOVE else value < self.value

    def is_recovered(self, value: float) -> bool:
        """Return whether the value is clear of the limit by a twentieth of it.

        A value that stays at the edge of its limit is one incident, not many.
        """
        margin = abs(self.value) / 20
        if self.operator == Operator.ABOVE:
            return value <= self.value - margin
        return value >= self.value + (0 if self.value == 1 else margin)


@dataclass(frozen=True, slots=True)
class About:
    """What people read of a metric."""

    title: str
    unit: str
    # The name of the metric in OpenWISP's API.
    openwisp: str
    limit: Limit | None = None
    # What a condition of it reads like.
    trouble: str = ""


ABOUT: Mapping[Metric, About] = {
    Metric.REACHABLE: About(
        "Ping", "", "Ping", Limit(Operator.BELOW, 1, 15), "Does not answer pings"
    ),
    Metric.LOSS: About(
        "Packet loss", "%", "Packet loss", Limit(Operator.ABOVE, 20, 15),
        "Packet loss is above its limit",
    ),
    Metric.RTT: About(
        "Round trip", "ms", "Round trip time", Limit(Operator.ABOVE, 500, 15),
        "Round trip is above its limit",
    ),
    Metric.PORT: About(
        "Management port", "", "Port", Limit(Operator.BELOW, 1, 15),
        "The management port does not answer",
    ),
    Metric.DATA_RECEIVED: About(
        "Data received", "", "Monitoring Data Collected", Limit(Operator.BELOW, 1, 30),
        "No data received",
    ),
    Metric.CONFIG_APPLIED: About(
        "Configuration applied", "", "Configuration Applied", Limit(Operator.BELOW, 1, 10),
        "Configuration is not applied",
    ),
    Metric.CPU: About(
        "CPU load", "%", "CPU usage", Limit(Operator.ABOVE, 90, 30),
        "CPU load is above its limit",
    ),
    Metric.MEMORY: About(
        "Memory", "%", "Memory usage", Limit(Operator.ABOVE, 95, 30),
        "Memory is above its limit",
    ),
    Metric.DISK: About(
        "Storage", "%", "Disk usage", Limit(Operator.ABOVE, 90, 0),
        "Storage is above its limit",
    ),
    Metric.TEMPERATURE: About(
        "Temperature", "°C", "Temperature", Limit(Operator.ABOVE, 90, 10),
        "Temperature is above its limit",
    ),
    Metric.WIFI_CLIENTS: About(
        "Wi-Fi clients", "", "wifi clients",
        Limit(Operator.ABOVE, 50, 120, enabled=False), "More Wi-Fi clients than its limit",
    ),
    Metric.CLIENT_SIGNAL: About(
        "Signal of Wi-Fi clients", "dBm", "client signal",
        Limit(Operator.BELOW, -78, 30, enabled=False), "Signal of its Wi-Fi clients is weak",
    ),
    Metric.SIGNAL_STRENGTH: About(
        "Mobile signal", "dBm", "signal strength",
        Limit(Operator.BELOW, -120, 15, enabled=False), "Mobile signal is weak",
    ),
    Metric.CHECK: About(
        "Check", "", "check", Limit(Operator.BELOW, 1, 10), "A check fails",
    ),
    Metric.CHECK_TIME: About("Duration of checks", "ms", "check time"),
    Metric.TCP_RATE: About("Bandwidth (TCP)", "bit/s", "iperf3 TCP"),
    Metric.UDP_RATE: About("Bandwidth (UDP)", "bit/s", "iperf3 UDP"),
    Metric.RETRANSMITS: About("Retransmits", "", "iperf3 retransmits"),
    Metric.JITTER: About("Jitter", "ms", "iperf3 jitter"),
    Metric.DATAGRAM_LOSS: About("Datagram loss", "%", "iperf3 datagram loss"),
    Metric.TCP_BYTES: About("Transferred data (TCP)", "B", "iperf3 TCP data"),
    Metric.UDP_BYTES: About("Transferred data (UDP)", "B", "iperf3 UDP data"),
    Metric.DATAGRAMS: About("Datagrams", "", "iperf3 datagrams"),
    Metric.LOST_DATAGRAMS: About("Lost datagrams", "", "iperf3 lost datagrams"),
    Metric.RX_BYTES: About("Traffic", "bit/s", "traffic"),
    Metric.TX_BYTES: About("Traffic", "bit/s", "traffic"),
    Metric.ERRORS: About("Interface errors", "", "interface errors"),
    Metric.PACKETS: About("Packets", "", "packets"),
    Metric.UPTIME: About("Uptime", "s", "uptime"),
    Metric.RTT_MIN: About("Lowest round trip", "ms", "rtt_min"),
    Metric.RTT_MAX: About("Highest round trip", "ms", "rtt_max"),
    Metric.SIGNAL_POWER: About("Mobile signal power", "dBm", "signal power"),
    Metric.SIGNAL_QUALITY: About("Mobile signal quality", "dB", "signal quality"),
    Metric.SIGNAL_NOISE: About("Mobile signal to noise", "dB", "signal to noise ratio"),
    Metric.ACCESS_TECHNOLOGY: About("Access technology", "", "access technology"),
}  # fmt: skip
JUDGED = tuple(metric for metric, about in ABOUT.items() if about.limit is not None)
# A device on which all of these are bad is critical.
CRITICAL = frozenset({Metric.REACHABLE, Metric.DATA_RECEIVED})

LONGEST_LABEL = 64
# A vector holds this many series at most.
MOST_SERIES = 256


def series_key(metric: str, label: str = "") -> str:
    """Return the name of a series: ``cpu``, or ``rx_bytes wan`` where it has a label."""
    return f"{metric} {label}" if label else str(metric)


def split_key(key: str) -> tuple[str, str]:
    """Return the metric and the label of a series."""
    metric, _, label = key.partition(" ")
    return metric, label
