"""The overview of a device: how it is and why, what it measures, and what hangs on it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext

from controller.base.admin import admin_url
from controller.base.changelist import relative_time
from controller.base.derived_names import register_titles
from controller.base.errors import Unreachable
from controller.devices.admin.badges import HEALTH, health_badge, health_of
from controller.devices.models import Device
from controller.monitoring.engine import vectors
from controller.monitoring.engine.availability import device_availability
from controller.monitoring.engine.buckets import PAGE_RANGES, page_range
from controller.monitoring.engine.health import late_after
from controller.monitoring.engine.mac_addresses import is_random, mac_of
from controller.monitoring.engine.metrics import ABOUT, Limit, Metric, split_key
from controller.monitoring.engine.report import items, link_speed, mapping, number, text
from controller.monitoring.engine.units import DASH, bits, duration, measured
from controller.monitoring.models import (
    Condition,
    LatestSample,
    MonitoredDevice,
    Silence,
    Threshold,
    WifiSession,
)
from controller.monitoring.rules import sample_history
from controller.monitoring.rules.health import measured_of
from controller.monitoring.rules.latest_reports import snapshots_of, vendor_of
from controller.monitoring.rules.limits import limits_of

CLIENTS, NEIGHBORS, INTERFACES = 10, 10, 12
WEAK_SIGNAL, FAIR_SIGNAL = -75, -65


register_titles(
    lambda: (text for about in ABOUT.values() for text in (about.title, about.trouble))
)


def monitoring_of(request: HttpRequest, device: Device) -> dict[str, Any] | None:
    """Return what the overview shows of monitoring; None to those who may not see it."""
    user: Any = request.user
    if not user.has_perm_on("monitoring:read", device):
        return None
    latest = LatestSample.objects.filter(monitored__device=device).first()
    found: dict[str, Any] = {
        "health": health_badge(device),
        "url": f"/api/v1/monitoring/device/{device.pk}/overview/",
        "ranges": list(PAGE_RANGES),
        "is_measured": latest is not None,
        "silences": user.has_perm_on("monitoring:create", device),
        "limits_url": admin_url(Threshold, "changelist"),
    }
    if latest is None:
        return found
    body = snapshots_of([device.pk]).get(device.pk, {})
    values = newest(latest)
    return found | {
        "since": getattr(device, "monitoring", None) and relative_time(device.monitoring.since),
        "uptime": duration(latest.uptime) if latest.uptime is not None else "",
        "availability": availability(latest),
        "newest": latest.at and relative_time(datetime.fromtimestamp(latest.at, UTC)),
        "is_late": is_late(latest),
        "conditions": conditions(device),
        "word": HEALTH[health_of(device)][0],
        "well": well(device, latest),
        "interfaces": interfaces(body, values, latest.interval),
        "clients": clients(device, body),
        "client_count": WifiSession.objects.filter(device=device, stop_time=None).count(),
        "neighbors": neighbors(user, device, body),
        "complaints": latest.complaints,
        "facts": facts(values),
        "silence": silence(device),
        "uplink": device.monitoring.uplink,
        "uplink_url": admin_url(MonitoredDevice, "change", device.monitoring.pk),
        "invented_until": device.monitoring.invented_until,
        "sessions_url": f"{admin_url(WifiSession, 'changelist')}?q={device.name}",
    }


def newest(latest: LatestSample) -> dict[tuple[str, str], float]:
    values = vectors.known(latest.values, wide=True)
    return {split_key(latest.layout[slot]): one for slot, one in values.items()}


def is_late(latest: LatestSample) -> bool:
    if latest.arrived is None:
        return False
    return sample_history.now_seconds() - latest.arrived > late_after(latest.interval)


def availability(latest: LatestSample) -> str:
    """Return the share of answered pings in 30 days."""
    buckets = page_range("30d", sample_history.now_seconds(), UTC)
    try:
        points = sample_history.read(
            latest.monitored_id, latest.layout, [Metric.REACHABLE], buckets
        )
    except Unreachable:
        # The charts of the page say that the store does not answer.
        return ""
    found = device_availability(points)
    return "" if found is None else f"{found['percent']:.4g} %"


def conditions(device: Device) -> list[dict[str, Any]]:
    """Return what is wrong with the device, what was told of first."""
    now = sample_history.now_seconds()
    rows = Condition.objects.filter(monitored__device=device, ended=None, is_shown=True)
    return [
        {
            "text": row.text,
            "now": shown_value(row),
            "limit": gettext("%(limit)s for %(minutes)s min")
            % {
                "limit": measured(row.limit, ABOUT[Metric(row.metric)].unit),
                "minutes": row.minutes,
            }
            if ABOUT[Metric(row.metric)].unit
            else f"{row.minutes} min",
            "source": row.source,
            "for": duration(now - row.bad_since),
            "behind": row.behind,
            "is_told": row.told_at is not None,
            "silence_url": silence_url(device, row.metric),
        }
        for row in rows.select_related("behind").order_by("bad_since")
    ]


def shown_value(row: Condition) -> str:
    unit = ABOUT[Metric(row.metric)].unit
    return (
        measured(row.value, unit)
        if unit
        else (gettext("no") if row.value < 1 else gettext("yes"))
    )


def silence_url(device: Device, metric: str) -> str:
    values = {"device": device.pk, "organization": device.organization_id, "metric": metric}
    return f"{reverse('admin:monitoring_silence_add')}?{urlencode(values)}"


def silence(device: Device) -> Silence | None:
    """Return a maintenance window that covers the device now."""
    now = datetime.now(UTC)
    rows = Silence.objects.filter(organization=device.organization_id, ends__gt=now)
    return next((row for row in rows if row.covers(device, row.metric, now)), None)


def well(device: Device, latest: LatestSample) -> list[str]:
    """Return the titles of the metrics that are within their limits."""
    limits: Mapping[Metric, Limit] = limits_of(device)
    rows = Condition.objects.filter(monitored__device=device, ended=None, is_shown=True)
    wrong = set(rows.values_list("metric", flat=True))
    found = []
    for (metric, _), (value, _at) in measured_of(latest, sample_history.now_seconds()).items():
        limit = limits.get(Metric(metric))
        if metric in wrong or limit is None or not limit.enabled:
            continue
        if not limit.is_crossed(value):
            found.append(gettext(ABOUT[Metric(metric)].title))
    return sorted(set(found))


def facts(values: Mapping[tuple[str, str], float]) -> list[tuple[str, str]]:
    """Return the newest values of the whole device, with their titles."""
    shown = (Metric.CPU, Metric.MEMORY, Metric.DISK, Metric.TEMPERATURE)
    return [
        (gettext(ABOUT[metric].title), measured(values[metric, ""], ABOUT[metric].unit))
        for metric in shown
        if (metric, "") in values
    ]


def interfaces(
    body: Mapping[str, Any], values: Mapping[tuple[str, str], float], interval: float
) -> list[dict[str, Any]]:
    found = []
    for _, one in items(body.get("interfaces")):
        name = text(one.get("name"), 64)
        addresses = [text(a.get("address")) for _, a in items(one.get("addresses"))]
        rates = {
            name_: 8 * values[metric, name] / interval
            for name_, metric in (("received", Metric.RX_BYTES), ("sent", Metric.TX_BYTES))
            if interval and (metric, name) in values
        }
        found.append(
            {
                "name": name,
                "type": text(one.get("type")) or "other",
                "speed": speed(one),
                "is_up": one.get("up") is not False,
                "addresses": addresses[:3],
                "mac": mac_of(one.get("mac")),
                "received": bits(rates.get("received")),
                "sent": bits(rates.get("sent")),
                "errors": errors(values, name),
            }
        )
    return found[:INTERFACES]


def speed(interface: Mapping[str, Any]) -> str:
    found = link_speed(interface)
    return "" if found is None else bits(found)


def errors(values: Mapping[tuple[str, str], float], name: str) -> str:
    packets, wrong = values.get((Metric.PACKETS, name)), values.get((Metric.ERRORS, name))
    if not packets or wrong is None:
        return DASH
    # What was dropped is not among the packets.
    return f"{100 * wrong / (packets + wrong):.2f} %"


def clients(device: Device, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return who is connected by Wi-Fi, the weakest signal first."""
    told = {
        mac_of(client.get("mac")): client
        for _, interface in items(body.get("interfaces"))
        for _, client in items(mapping(interface.get("wireless")).get("clients"))
    }
    names = {
        mac_of(lease.get("mac")): text(lease.get("client_name"))
        for _, lease in items(body.get("dhcp_leases"))
    }
    rows = WifiSession.objects.filter(device=device, stop_time=None)[: CLIENTS * 20]
    found = [client(row, told.get(row.mac_address, {}), names) for row in rows]
    return sorted(found, key=lambda one: one["order"])[:CLIENTS]


def client(
    row: WifiSession, told: Mapping[str, Any], names: Mapping[str, str]
) -> dict[str, Any]:
    signal = number(told.get("signal"), -130, 0)
    name = names.get(row.mac_address, "")
    vendor = (
        gettext("random address") if is_random(row.mac_address) else vendor_of(row.mac_address)
    )
    rate = number(mapping(told.get("rate")).get("tx"), 0)
    return {
        "name": name if name != "*" else "",
        "mac": row.mac_address,
        "vendor": vendor,
        "ssid": row.ssid,
        "interface": row.interface_name,
        "signal": "" if signal is None else f"{signal:.0f} dBm",
        "grade": grade(signal),
        "rate": bits(rate * 1000 if rate else None),
        "since": relative_time(row.start_time),
        "order": signal if signal is not None else 0,
    }


def grade(signal: float | None) -> str:
    if signal is None:
        return ""
    if signal < WEAK_SIGNAL:
        return gettext("Weak")
    return gettext("Fair") if signal < FAIR_SIGNAL else gettext("Good")


def neighbors(user: Any, device: Device, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return who is in the device's networks; managed devices have a link."""
    seen: dict[str, dict[str, Any]] = {}
    for _, one in items(body.get("neighbors")):
        mac = mac_of(one.get("mac"))
        if mac and text(one.get("state")) != "FAILED":
            seen.setdefault(mac, {"mac": mac, "ip": text(one.get("ip")),
                                  "interface": text(one.get("interface"))})  # fmt: skip
    rows = Device.objects.visible_to(user).filter(
        organization=device.organization_id, mac_address__in=[*seen, *map(str.upper, seen)]
    )
    for pk, name, mac in rows.values_list("pk", "name", "mac_address"):
        seen[mac.lower()] |= {"name": name, "link": admin_url(Device, "change", pk)}
    found = sorted(seen.values(), key=lambda one: ("link" not in one, one["ip"]))
    for one in found[:NEIGHBORS]:
        one["vendor"] = vendor_of(one["mac"])
    return found[:NEIGHBORS]
