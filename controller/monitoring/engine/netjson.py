"""NetJSON DeviceMonitoring, as OpenWrt's monitoring agent sends it, read as a report."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.mobile import read_modem
from controller.monitoring.engine.report import (
    LARGEST,
    Report,
    items,
    label,
    link_speed,
    mapping,
    number,
    text,
)
from controller.monitoring.engine.wireless import read_clients

TYPE = "DeviceMonitoring"
# Beyond so many interfaces the rest is shown on the page of the device, but not charted.
MOST_INTERFACES = 40
# File systems that are always full, for nothing can be written to them.
READ_ONLY = frozenset({"squashfs", "iso9660", "cramfs", "romfs", "erofs"})
READ_ONLY_MOUNTS = ("/rom", "/snap/", "/nix/store")
ERRORS = ("rx_errors", "tx_errors", "rx_dropped", "tx_dropped")
LONGEST_UPTIME = 100 * 365 * 86_400.0
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = -60.0, 200.0


class NotAReport(ValueError):
    """The body is no DeviceMonitoring object; the text says where, and what is wrong."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f'Invalid data in "#{path}", validator says:\n\n{problem}')


def read(body: Any) -> Report:
    """Return what the body says; raise :class:`NotAReport` where nothing of it can be used."""
    if not isinstance(body, dict):
        kind = "null" if body is None else type(body).__name__
        raise NotAReport("", f"An object was expected, and this is {kind}.")
    if "type" not in body:
        raise NotAReport("", "'type' is a required property")
    if body["type"] != TYPE:
        raise NotAReport("/type", f"{TYPE!r} was expected")
    report = Report()
    read_general(report, mapping(body.get("general")))
    read_resources(report, mapping(body.get("resources")))
    read_interfaces(report, body.get("interfaces"))
    read_containers(report, body.get("containers"))
    # Controllers know how many there are, and not who.
    report.put(Metric.WIFI_CLIENTS, number(body.get("wifi_clients"), 0, 1e6))
    if report.complaints and not (report.values or report.counters or report.clients):
        raise NotAReport("", f"Nothing in it can be used: {'; '.join(report.complaints)}")
    return report


def read_general(report: Report, general: Mapping[str, Any]) -> None:
    report.hostname = text(general.get("hostname"), 64)
    report.uptime = number(general.get("uptime"), 0, LONGEST_UPTIME)
    report.put(Metric.UPTIME, report.uptime)


def read_resources(report: Report, resources: Mapping[str, Any]) -> None:
    read_cpu(report, resources)
    read_memory(report, mapping(resources.get("memory")))
    read_disks(report, resources.get("disk"))
    report.put(Metric.TEMPERATURE, hottest(resources.get("temperature")))


def read_cpu(report: Report, resources: Mapping[str, Any]) -> None:
    """Keep the load of the last minute in percent of the processors; it may exceed 100."""
    loads = resources.get("load")
    if loads is None:
        return
    first = number(loads[0], 0, 1e6) if isinstance(loads, list) and loads else None
    if first is None:
        report.complain("resources: load is no list of numbers")
        return
    processors = max(number(resources.get("cpus"), 0, 1e6) or 0, 1)
    report.put(Metric.CPU, round(100 * first / processors, 2))


def read_memory(report: Report, memory: Mapping[str, Any]) -> None:
    """Keep the memory that programs use, in percent: what the kernel could give is not used."""
    if not memory:
        return
    total = number(memory.get("total"), 1)
    free = number(memory.get("available"), 0)
    if free is None or free < (number(memory.get("free"), 0) or 0):
        parts = [number(memory.get(name), 0) for name in ("free", "buffered", "cached")]
        free = None if parts[0] is None else sum(part or 0 for part in parts)
    if total is None or free is None:
        report.complain("resources: memory has no total or nothing free")
        return
    report.put(Metric.MEMORY, round(100 * (1 - min(free / total, 1)), 2))


def read_disks(report: Report, disks: Any) -> None:
    """Keep how full the fullest file system is that can be written to."""
    fullest = None
    for at, disk in items(disks):
        mount = text(disk.get("mount_point"))
        if mount.startswith(READ_ONLY_MOUNTS) or text(disk.get("filesystem")) in READ_ONLY:
            continue
        size, used = number(disk.get("size_bytes"), 1), number(disk.get("used_bytes"), 0)
        if size is None or used is None:
            report.complain(f"disk {at}: size or used bytes are missing")
            continue
        fullest = max(fullest or 0, round(100 * min(used / size, 1), 2))
    report.put(Metric.DISK, fullest)


def read_containers(report: Report, containers: Any) -> None:
    """Keep what containers use, each under its name."""
    for _, one in items(containers):
        if name := label(one.get("name")):
            report.put(Metric.CPU, number(one.get("cpu_percent"), 0, 1e6), name)
            report.put(Metric.MEMORY, number(one.get("memory_percent"), 0, 1e3), name)


def hottest(value: Any) -> float | None:
    """Return the highest of some temperatures in °C; None where there is none."""
    values = value.values() if isinstance(value, dict) else [value]
    found = [number(one, LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE) for one in values]
    return max((one for one in found if one is not None), default=None)


def read_interfaces(report: Report, interfaces: Any) -> None:
    signals: list[float] = []
    names: set[str] = set()
    for at, interface in items(interfaces):
        name = label(interface.get("name"))
        if not name or name in names:
            report.complain(
                f"interface {at}: " + ("its name came before" if name else "no name")
            )
            continue
        names.add(name)
        if len(names) <= MOST_INTERFACES:
            read_interface(report, at, name, interface)
            signals += read_clients(report, name, interface)
            read_modem(report, name, mapping(interface.get("mobile")))
    if len(names) > MOST_INTERFACES:
        report.complain(
            f"only the first {MOST_INTERFACES} of {len(names)} interfaces are charted"
        )
    if signals:
        report.put(Metric.CLIENT_SIGNAL, median(signals))


def read_interface(report: Report, at: int, name: str, interface: Mapping[str, Any]) -> None:
    statistics = mapping(interface.get("statistics"))
    if (speed := link_speed(interface)) is not None:
        report.speeds[name] = speed
    for metric in (Metric.RX_BYTES, Metric.TX_BYTES):
        if metric not in statistics:
            continue
        value = number(statistics[metric], 0, LARGEST)
        if value is None:
            report.complain(f"interface {at}: {metric} is no counter")
        report.count(metric, value, name)
    report.count(Metric.PACKETS, total(statistics, ("rx_packets", "tx_packets")), name)
    report.count(Metric.ERRORS, total(statistics, ERRORS), name)


def total(statistics: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    """Return the sum of some counters; None where one of them is missing."""
    found = 0.0
    for name in names:
        value = number(statistics.get(name), 0, LARGEST)
        if value is None:
            return None
        found += value
    return found
