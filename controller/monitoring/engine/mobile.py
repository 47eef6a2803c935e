"""The signal of modems."""

from collections.abc import Mapping
from typing import Any

from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.report import Report, mapping, number

# From the oldest to the newest; of several, the newest that has values counts.
TECHNOLOGIES = ("gsm", "cdma1x", "evdo", "umts", "lte", "5g")
STRENGTH = ("rsrp", "rscp")
QUALITY = ("rsrq",)
NOISE = ("snr", "ecio", "sinr")
WEAKEST, STRONGEST = -200.0, 100.0


def read_modem(report: Report, name: str, mobile: Mapping[str, Any]) -> None:
    """Keep the strength and quality of a modem's signal."""
    signal = mapping(mobile.get("signal"))
    if not signal:
        return
    for index, technology in reversed(list(enumerate(TECHNOLOGIES))):
        values = mapping(signal.get(technology))
        if first(values, (*values,)) is None:
            continue
        report.put(Metric.SIGNAL_POWER, first(values, ("rssi",)), name)
        report.put(Metric.SIGNAL_STRENGTH, first(values, STRENGTH), name)
        report.put(Metric.SIGNAL_QUALITY, first(values, QUALITY), name)
        report.put(Metric.SIGNAL_NOISE, first(values, NOISE), name)
        report.put(Metric.ACCESS_TECHNOLOGY, index, name)
        return


def first(values: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    """Return the first of these values that is a number."""
    found = (number(values.get(name), WEAKEST, STRONGEST) for name in names)
    return next((one for one in found if one is not None), None)
