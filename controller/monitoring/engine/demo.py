"""Measurements of devices that were never measured, for demonstrations: the same for each run."""

import math
from collections.abc import Iterator, Mapping
from random import Random

from controller.monitoring.engine.metrics import Metric, series_key

DAY = 86_400
STEP = 300
GIGA = 1e9
UPLINK, RADIO = "eth0", "wlan0"


class DemoDevice:
    """One device: how busy it is, when it restarts, and when it is away."""

    def __init__(self, seed: str, start: int, end: int) -> None:
        self.random = Random(seed)  # noqa: S311 - nothing is kept secret by it
        self.start, self.end = start, end
        self.load = self.random.uniform(15, 45)
        self.memory = self.random.uniform(35, 70)
        self.disk = self.random.uniform(20, 60)
        self.clients = self.random.uniform(6, 30)
        self.rtt = self.random.uniform(4, 60)
        days = (end - start) / DAY
        moments = sorted(self.random.uniform(0.5, days - 0.5) for _ in range(3))
        self.restarts = [start + int(at * DAY) // STEP * STEP for at in moments[:2]]
        began = start + int(moments[2] * DAY) // STEP * STEP
        self.outage = range(began, began + self.random.randrange(4, 40) * STEP, STEP)

    def samples(self) -> Iterator[tuple[int, Mapping[str, float]]]:
        """Yield what was measured at each moment, as series and value."""
        booted = self.start - self.random.randrange(DAY, 40 * DAY)
        for at in range(self.start, self.end, STEP):
            if at in self.restarts:
                booted = at
            if at in self.outage:
                yield at, {Metric.REACHABLE: 0.0, Metric.LOSS: 100.0}
            else:
                yield at, self.measured(at, at - booted)

    def measured(self, at: int, uptime: int) -> dict[str, float]:
        busy = self.busy(at)
        spike = self.random.random()
        rtt = self.rtt * (1 + 0.4 * busy) * self.random.uniform(0.8, 1.3)
        received = GIGA * (0.05 + 1.6 * busy) * self.random.uniform(0.5, 1.5)
        return {
            Metric.REACHABLE: 1.0,
            Metric.LOSS: 20.0 if spike > 0.995 else 0.0,  # noqa: PLR2004
            Metric.RTT: rtt,
            Metric.RTT_MIN: rtt * 0.7,
            Metric.RTT_MAX: rtt * self.random.uniform(1.2, 3),
            Metric.UPTIME: float(uptime),
            Metric.CPU: min(self.load * (0.4 + busy) * self.random.uniform(0.7, 1.4), 100),
            Metric.MEMORY: min(self.memory + 6 * uptime / (10 * DAY), 93),
            Metric.DISK: self.disk + (at - self.start) / (8 * DAY),
            Metric.TEMPERATURE: 38 + 14 * busy + self.random.uniform(-1, 1),
            series_key(Metric.RX_BYTES, UPLINK): received,
            series_key(Metric.TX_BYTES, UPLINK): received * self.random.uniform(0.1, 0.3),
            series_key(Metric.PACKETS, UPLINK): received / 900,
            series_key(Metric.ERRORS, UPLINK): 0.0,
            series_key(Metric.WIFI_CLIENTS, RADIO): float(round(self.clients * busy)),
        }

    def busy(self, at: int) -> float:
        """Return how busy it is: most in the early evening, least before dawn."""
        hour = at % DAY / 3600
        return 0.5 + 0.5 * math.sin((hour - 10) / 24 * 2 * math.pi)
