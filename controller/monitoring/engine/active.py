"""Checks that the portal makes by itself: which there are, what they take, and what they tell."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controller.monitoring.engine.metrics import Metric

LARGEST_PORT = 65_535
LONGEST_TEXT = 255
LOWEST_STATUS, HIGHEST_STATUS = 100, 599
LONGEST_TEST_SECONDS = 60
HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.:-]{0,251}[A-Za-z0-9.])?")
RECORDS = ("A", "AAAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT", "SOA")
PROTOCOLS = ("tcp", "udp")


class Kind(StrEnum):
    HTTP = "http"
    DNS = "dns"
    TCP = "tcp"
    SSH = "ssh"
    IPERF3 = "iperf3"


TITLES = {
    Kind.HTTP: "HTTP", Kind.DNS: "DNS", Kind.TCP: "TCP port", Kind.SSH: "SSH",
    Kind.IPERF3: "iperf3",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found; values are by metric."""

    is_good: bool
    reason: str = ""
    milliseconds: float | None = None
    values: Mapping[Metric, float] = field(default_factory=dict)


def _port(value: Any) -> str:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return (
        "" if is_whole and 0 < value <= LARGEST_PORT else "a port from 1 to 65535 is expected"
    )


def _text(value: Any) -> str:
    fits = isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and value.isprintable()
    return "" if fits else f"text of at most {LONGEST_TEXT} characters is expected"


def _host(value: Any) -> str:
    fits = isinstance(value, str) and HOST.fullmatch(value)
    return "" if fits else "a host name or address is expected"


def _path(value: Any) -> str:
    fits = not _text(value) and value.startswith("/") and " " not in value
    return "" if fits else "a path that begins with / is expected"


def _status(value: Any) -> str:
    fits = isinstance(value, int) and LOWEST_STATUS <= value <= HIGHEST_STATUS
    return "" if fits else "a status from 100 to 599 is expected"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false is expected"


def _seconds(value: Any) -> str:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    fits = is_whole and 1 <= value <= LONGEST_TEST_SECONDS
    return "" if fits else f"1 to {LONGEST_TEST_SECONDS} seconds are expected"


def _one_of(*choices: str) -> Callable[[Any], str]:
    return lambda value: "" if value in choices else f"one of {', '.join(choices)} is expected"


PARAMETERS: Mapping[Kind, Mapping[str, Callable[[Any], str]]] = {
    Kind.HTTP: {"port": _port, "path": _path, "tls": _flag, "status": _status, "text": _text},
    Kind.DNS: {"name": _host, "record": _one_of(*RECORDS), "port": _port, "answer": _text},
    Kind.TCP: {"port": _port},
    Kind.SSH: {"port": _port},
    Kind.IPERF3: {
        "server": _host, "port": _port, "protocol": _one_of(*PROTOCOLS), "seconds": _seconds,
        "bandwidth": _one_of("1M", "5M", "10M", "50M", "100M", "500M", "1G"),
        "reverse": _flag,
    },
}  # fmt: skip
REQUIRED = {Kind.DNS: ("name",), Kind.TCP: ("port",), Kind.IPERF3: ("server",)}


def problems(kind: str, parameters: Any) -> list[str]:
    """Return what is wrong with the parameters of a check, as sentences."""
    if not isinstance(parameters, dict):
        return ["An object is expected."]
    if kind not in TITLES:
        return []  # that it is no kind is told at its own field
    known = PARAMETERS[Kind(kind)]
    found = [f"There is no parameter {name!r}." for name in parameters.keys() - known.keys()]
    found += [
        f"{name}: it is required."
        for name in REQUIRED.get(Kind(kind), ())
        if name not in parameters
    ]
    found += [
        f"{name}: {problem}."
        for name, judge in known.items()
        if name in parameters and (problem := judge(parameters[name]))
    ]
    return sorted(found)


def iperf_command(parameters: Mapping[str, Any]) -> tuple[str, int]:
    """Return the command of a test on the device, and after how many seconds it is given up.

    The end is in the command itself too: a test over a lost link must not run for ever.
    """
    seconds = int(parameters.get("seconds", 10))
    most = 3 * seconds + 30
    words = [
        "iperf3", "-J", "-c", str(parameters["server"]), "-p", str(parameters.get("port", 5201)),
        "-t", str(seconds),
    ]  # fmt: skip
    if parameters.get("protocol") == "udp":
        words += ["-u", "-b", str(parameters.get("bandwidth", "10M"))]
    if parameters.get("reverse"):
        words.append("-R")
    command = " ".join(words)
    # What the program says on its error output is no part of its answer.
    return (
        f"if command -v timeout >/dev/null 2>&1; then timeout {most} {command}; "
        f"else {command}; fi 2>/dev/null",
        most + 10,
    )


def read_iperf(status: int, output: str) -> Outcome:
    """Return what iperf3 measured, or why it measured nothing."""
    if status == NOT_FOUND:
        return Outcome(is_good=False, reason="iperf3 is not installed on the device.")
    try:
        told = json.loads(output)
        end = told["end"]
    except (ValueError, KeyError, TypeError):
        return Outcome(is_good=False, reason=f"iperf3 ended with {status} and told nothing.")
    if error := told.get("error"):
        return Outcome(is_good=False, reason=f"iperf3: {error}"[:LONGEST_TEXT])
    if "sum_received" in end and "jitter_ms" not in end.get("sum", {}):
        sent = end.get("sum_sent", {})
        return Outcome(
            is_good=True,
            values=numbers(
                {Metric.TCP_RATE: end["sum_received"].get("bits_per_second"),
                 Metric.TCP_BYTES: sent.get("bytes"),
                 Metric.RETRANSMITS: sent.get("retransmits")}
            ),
        )  # fmt: skip
    total = end.get("sum", {})
    return Outcome(
        is_good=True,
        values=numbers(
            {Metric.UDP_RATE: total.get("bits_per_second"),
             Metric.UDP_BYTES: total.get("bytes"),
             Metric.JITTER: total.get("jitter_ms"),
             Metric.DATAGRAMS: total.get("packets"),
             Metric.LOST_DATAGRAMS: total.get("lost_packets"),
             Metric.DATAGRAM_LOSS: total.get("lost_percent")}
        ),
    )  # fmt: skip


NOT_FOUND = 127


def numbers(found: Mapping[Metric, Any]) -> dict[Metric, float]:
    return {
        metric: float(value)
        for metric, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
