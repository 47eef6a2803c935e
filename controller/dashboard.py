"""Admin dashboard: state of the fleet, problems, recent events."""

from typing import Any

from django.db.models import Count, F, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext

from controller.accounts.rules import mfa
from controller.base.admin import admin_url, stacked_bar
from controller.configs.models import Config, Push
from controller.devices.admin.badges import (
    health_badge,
    of_change,
    of_push,
    presence_badge,
    relative_time,
    status_badge,
)
from controller.devices.admin.filters import PROBLEM
from controller.devices.models import Device, Enrollment, Presence, StatusChange
from controller.monitoring.engine.units import duration, measured
from controller.monitoring.models import Condition, MonitoredDevice
from controller.monitoring.rules.incidents import Incident, incidents
from controller.monitoring.rules.sample_history import now_seconds
from controller.monitoring.rules.worst_devices import Ranking, worst_devices
from geo.admin import maps
from geo.models import DeviceLocation
from networks.gateways.models import Change
from networks.overlay.models import Member, Network
from networks.overlay.rules.networks import administered
from pki.admin.dashboard import expiring

TROUBLES = 10
EVENTS = 12
NETWORKS = 5


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    user: Any = request.user
    context["title"] = gettext("Dashboard")
    if not user.has_perm_anywhere("device:read"):
        return context | {"sees_devices": False}
    in_service = Device.objects.visible_to(user).filter(is_deactivated=False)
    presence = presence_card(user)
    context |= {
        "sees_devices": True,
        "total": presence["total"],
        "presence": presence,
        "health": health_card(user) if user.has_perm_anywhere("monitoring:read") else None,
        "adds_devices": user.has_perm_anywhere("device:create"),
        "expiring": expiring(user),
        "waiting": waiting(user),
    }
    if not context["total"]:
        return context | {"first_steps": first_steps(user)}
    reads_configs = user.has_perm_anywhere("config:read")
    context |= fleet_map(user)
    return context | {
        "problems": problems(user),
        "worst": worst(user, request.GET.get("worst", "")),
        "troubles": troubles(in_service),
        "trouble_count": in_service.filter(PROBLEM).count(),
        "configuration": config_card(user) if reads_configs else None,
        "events": events(user, pushes=reads_configs),
    }


def first_steps(user: Any) -> list[dict[str, Any]]:
    """Return the steps from an empty portal to the first applied configuration."""
    factor = reverse("admin:second_factor")
    add = admin_url(Device, "add")
    return [
        {
            "title": gettext("Sign in"), "text": gettext("You are signed in as %(user)s.") % {"user": user}, "state": "good",
            "more": None if mfa.is_enabled(user) else (factor, gettext("Set up a second factor")),
        },
        {
            "title": gettext("Add a device"), "state": "busy", "button": (add, gettext("Add a device")),
            "text": gettext("A Linux host, an OpenWrt router, a gateway or a supervisor. "
            "The portal tests the connection first."),
        },
        {
            "title": gettext("Choose a template"), "state": "later",
            "text": gettext("On the same page: one of yours, or an example with a welcome message."),
        },
        {
            "title": gettext("Push it"), "state": "later",
            "text": gettext("The portal pushes the configuration and shows when it is applied."),
        },
    ]  # fmt: skip


def waiting(user: Any) -> list[dict[str, Any]]:
    """Return the pending approvals visible to the user, by kind."""
    found = []
    for title, model, permission, query in (
        (gettext("Pending devices"), Enrollment, "device:create", "state__exact=pending"),
        (gettext("Gateway changes"), Change, "network:update", "state__exact=pending"),
    ):
        if user.has_perm_anywhere(permission):
            rows: Any = model.objects.visible_to(user, permission)
            if count := rows.filter(state="pending").count():
                link = f"{admin_url(model, 'changelist')}?{query}"
                found.append({"title": title, "count": count, "link": link})
    return found + overlay_members(user)


def overlay_members(user: Any) -> list[dict[str, Any]]:
    """Return pending members per overlay network that the user administers."""
    rows = Member.objects.filter(state=Member.State.PENDING)
    if not user.is_superuser:
        rows = rows.filter(Q(network__owner=user) | Q(network__in=administered(user)))
    counts = rows.order_by("network__name").values("network", "network__name")
    return [
        {
            "title": gettext("Devices for %(one)s") % {"one": one["network__name"]},
            "count": one["count"],
            "link": admin_url(Network, "change", one["network"]),
        }
        for one in counts.annotate(count=Count("pk"))[:NETWORKS]
    ]


def fleet_map(user: Any) -> dict[str, Any]:
    places = DeviceLocation.objects.visible_to(user)
    if not (user.has_perm_anywhere("location:read") and places.exists()):
        return {}
    return {"map_media": maps.media("fleet-map.js"), "ground": maps.ground()}


def linked(query: str) -> str:
    return f"{reverse('admin:devices_device_changelist')}?{query}"


def presence_card(user: Any) -> dict[str, Any]:
    counts = Device.objects.visible_to(user).aggregate(
        online=Count("pk", Q(is_deactivated=False, presence__state=Presence.State.ONLINE)),
        offline=Count("pk", Q(is_deactivated=False, presence__state=Presence.State.OFFLINE)),
        out=Count("pk", Q(is_deactivated=True)),
        total=Count("pk"),
    )
    unknown = counts["total"] - counts["online"] - counts["offline"] - counts["out"]
    return stacked_bar(
        [
            part(gettext("Online"), counts["online"], "good", "presence=online"),
            part(gettext("Offline"), counts["offline"], "bad", "presence=offline"),
            part(gettext("Unknown"), unknown, "mute", "presence=unknown"),
            part(gettext("Deactivated"), counts["out"], "faint", "show=deactivated"),
        ]
    )


def health_card(user: Any) -> dict[str, Any]:
    state = MonitoredDevice.State
    in_service = Q(is_deactivated=False)
    counts = Device.objects.visible_to(user).aggregate(
        **{
            one: Count("pk", in_service & Q(monitoring__health=one))
            for one in (state.OK, state.PROBLEM, state.CRITICAL)
        },
        out=Count("pk", ~in_service),
        total=Count("pk"),
    )
    unknown = (
        counts["total"]
        - counts["out"]
        - sum(counts[one] for one in (state.OK, state.PROBLEM, state.CRITICAL))
    )
    return stacked_bar(
        [
            part("OK", counts[state.OK], "good", "health=ok"),
            part(gettext("Problem"), counts[state.PROBLEM], "warn", "health=problem"),
            part(gettext("Critical"), counts[state.CRITICAL], "bad", "health=critical"),
            part(gettext("Unknown"), unknown, "mute", "health=unknown"),
            part(gettext("Deactivated"), counts["out"], "faint", "show=deactivated"),
        ]
    )


def config_card(user: Any) -> dict[str, Any]:
    status = Config.Status
    counts = Config.objects.visible_to(user).aggregate(
        **{name: Count("pk", Q(status=name)) for name in status.values}
    )
    return stacked_bar(
        [
            part(gettext("Applied"), counts[status.APPLIED], "good", "config=applied"),
            part(gettext("Modified"), counts[status.MODIFIED], "warn", "config=modified"),
            part(gettext("Error"), counts[status.ERROR], "bad", "config=error"),
            part(
                gettext("Deactivating"),
                counts[status.DEACTIVATING],
                "busy",
                "config=deactivating",
            ),
            part(
                gettext("Deactivated"),
                counts[status.DEACTIVATED],
                "faint",
                "config=deactivated",
            ),
        ]
    )


def part(label: str, count: int, tone: str, query: str) -> dict[str, Any]:
    return {"label": label, "count": count, "tone": tone, "link": linked(query)}


def problems(user: Any) -> list[dict[str, Any]]:
    """Return the causes that several devices have in common, each with where to look."""
    if not user.has_perm_anywhere("monitoring:read"):
        return []
    now = now_seconds()
    return [
        {
            "text": one.text,
            "count": one.count,
            "age": duration(now - one.since),
            "icon": "dangerous" if one.is_critical else "warning",
            "word": gettext("Critical") if one.is_critical else gettext("Problem"),
            "tone": "bad" if one.is_critical else "warn",
            "link": link_of(one),
        }
        for one in incidents(user)
    ]


def link_of(one: Incident) -> str:
    if one.device is not None:
        return admin_url(Device, "change", one.device)
    if one.site is not None:
        return linked("health=critical")
    return linked(f"condition={one.metric}")


def worst(user: Any, asked: str) -> dict[str, Any] | None:
    """Return the devices at the end of a ranking, and the rankings to choose from."""
    if not user.has_perm_anywhere("monitoring:read"):
        return None
    choices = {
        Ranking.AVAILABILITY: (gettext("Availability"), gettext("Online in 24 h"), "%"),
        Ranking.LOSS: (gettext("Packet loss"), gettext("Lost"), "%"),
        Ranking.MEMORY: (gettext("Memory"), gettext("Used"), "%"),
        Ranking.TRAFFIC: (gettext("Traffic"), gettext("Uplink"), "bit/s"),
    }
    chosen = Ranking(asked) if asked in set(Ranking) else Ranking.AVAILABILITY
    _, column, unit = choices[chosen]
    return {
        "choices": [
            {"value": one.value, "label": label, "chosen": one == chosen}
            for one, (label, _, _) in choices.items()
        ],
        "column": column,
        "rows": [
            {
                "device": device,
                "link": admin_url(Device, "change", device.pk),
                "health": health_badge(device) if hasattr(device, "monitoring") else "",
                "presence": presence_badge(device),
                "value": measured(value, unit),
            }
            for device, value in worst_devices(user, chosen)
        ],
    }


def troubles(in_service: Any) -> list[dict[str, Any]]:
    """Return devices with problems: failed configurations first, then longest offline."""
    rows = (
        in_service.filter(PROBLEM)
        .select_related("organization", "presence", "config", "monitoring")
        .defer("key", "config__config", "config__context")
        .annotate(refused=Q(config__status=Config.Status.ERROR))
        .order_by("-refused", F("presence__last_seen").asc(nulls_first=True))[:TROUBLES]
    )
    wrong = conditions_of([row.pk for row in rows])
    return [
        {
            "device": row,
            "link": reverse("admin:devices_device_change", args=[row.pk]),
            "presence": presence_badge(row),
            "status": status_badge(getattr(row, "config", None)),
            "health": health_badge(row) if hasattr(row, "monitoring") else "",
            "reason": reason(row) or wrong.get(row.pk, ""),
            "seen": relative_time(row.presence.last_seen)
            if hasattr(row, "presence")
            else gettext("never"),
        }
        for row in rows
    ]


def conditions_of(devices: list[Any]) -> dict[Any, str]:
    """Return what is wrong with each of these devices, in a sentence."""
    found: dict[Any, list[str]] = {}
    rows = Condition.objects.filter(
        monitored__device__in=devices, ended=None, is_shown=True
    ).select_related("monitored")
    for row in rows.order_by("bad_since"):
        found.setdefault(row.monitored.device_id, []).append(row.text)
    return {device: "; ".join(texts) for device, texts in found.items()}


def reason(device: Device) -> str:
    config = getattr(device, "config", None)
    if config is not None and config.status == Config.Status.ERROR:
        return str(config.render_error or config.error_reason)
    return device.presence.reason if hasattr(device, "presence") else ""


def events(user: Any, *, pushes: bool) -> list[dict[str, Any]]:
    changes = StatusChange.objects.visible_to(user).select_related("device")
    rows = [of_change(row) | told_of(row.device) for row in changes[:EVENTS]]
    if pushes:
        done = Push.objects.visible_to(user).select_related("config__device")
        rows += [of_push(row) | told_of(row.config.device) for row in done[:EVENTS]]
    return sorted(rows, key=lambda row: row["at"], reverse=True)[:EVENTS]


def told_of(device: Device) -> dict[str, Any]:
    return {
        "name": device.name,
        "link": reverse("admin:devices_device_change", args=[device.pk]),
    }
