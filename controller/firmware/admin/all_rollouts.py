"""Rollouts of every kind on one page: builds, packages, gateways, Home Assistant."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from controller.base.admin import admin_url, badge
from controller.configs.admin.waves import TONES
from controller.devices.admin.badges import relative_time
from controller.firmware.models import FirmwareRollout, GatewayRollout
from supervisor_proxy.models import UpdateCampaign

MOST_SHOWN = 100
CAMPAIGN_TONES: dict[str, str] = {"running": "busy", "halted": "bad", "done": "good"}


def page(request: HttpRequest, site: Any) -> HttpResponse:
    """Show the newest rollouts that the user may see, of all kinds."""
    found = [
        *builds_and_packages(request.user), *gateways(request.user), *campaigns(request.user),
    ]  # fmt: skip
    found.sort(key=lambda one: one["at"], reverse=True)
    context = {
        **site.each_context(request),
        "title": gettext("All rollouts"),
        "rows": found[:MOST_SHOWN],
        "most_shown": MOST_SHOWN,
        "opts": FirmwareRollout._meta,
    }
    return render(request, "admin/firmware/all_rollouts.html", context)


def builds_and_packages(user: Any) -> Iterable[dict[str, Any]]:
    rows = FirmwareRollout.objects.visible_to(user, "firmware:read")
    rows = rows.select_related("build__category", "organization").order_by("-created")
    return [
        _row(
            row, gettext("Packages") if row.packages else gettext("Build"), row.cargo, TONES,
            begun=row.started,
        )
        for row in rows[:MOST_SHOWN]
    ]  # fmt: skip


def gateways(user: Any) -> Iterable[dict[str, Any]]:
    rows = GatewayRollout.objects.visible_to(user, "firmware:read")
    rows = rows.select_related("organization").order_by("-created")
    return [
        _row(row, gettext("Gateways"), row.get_vendor_display(), TONES, begun=row.started)
        for row in rows[:MOST_SHOWN]
    ]


def campaigns(user: Any) -> Iterable[dict[str, Any]]:
    rows = UpdateCampaign.objects.visible_to(user, "supervisor:read")
    rows = rows.select_related("organization").order_by("-created")
    return [
        _row(row, "Home Assistant", row.name, CAMPAIGN_TONES, begun=row.created)
        for row in rows[:MOST_SHOWN]
    ]


def _row(
    row: Any, kind: str, name: str, tones: dict[str, str],
    *, begun: datetime | None,
) -> dict[str, Any]:  # fmt: skip
    return {
        "at": row.created,
        "kind": kind,
        "name": name,
        "link": admin_url(type(row), "change", row.pk),
        "organization": row.organization,
        "state": badge(row.get_state_display(), tones[row.state], row.reason),
        "begun": relative_time(begun) if begun else "",
        "over": relative_time(row.ended) if row.ended else "",
    }
