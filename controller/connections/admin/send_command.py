"""Send commands to one device from its page, or to many from the device list."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext

from controller.accounts.models import Organization
from controller.base.admin import admin_url
from controller.base.derived_names import register_titles
from controller.base.errors import Refused
from controller.configs.rules.bulk_operations import CHANGED
from controller.connections.engine.commands import KINDS, Kind
from controller.connections.models import CommandBatch, DeviceConnection
from controller.connections.rules.commands import kinds_for, partition_targets, send_to_many
from controller.devices.admin.exclusions import NAMED_MOST, group_by_reason
from controller.devices.models import Device

register_titles(lambda: (text for kind in KINDS.values() for text in texts_of(kind)))


def kinds(organization_ids: Iterable[UUID]) -> dict[str, Any]:
    """Return label and form fields of the command kinds that all organizations allow."""
    allowed = [set(kinds_for(pk)) for pk in organization_ids]
    return {
        name: {
            "label": gettext(kind.label),
            "fields": fields_of(kind),
            "warns": kind.ends_connection,
        }
        for name, kind in KINDS.items()
        if all(name in one for one in allowed)
    }


def texts_of(kind: Kind) -> list[str]:
    properties: dict[str, Any] = kind.schema.get("properties", {})
    return [kind.label, *(about["title"] for about in properties.values())]


def fields_of(kind: Kind) -> list[dict[str, Any]]:
    properties: dict[str, Any] = kind.schema.get("properties", {})
    return [
        {
            "name": name,
            "title": gettext("Once more")
            if name.startswith("confirm_")
            else gettext(about["title"]),
            "pattern": about.get("pattern"),
            "minLength": about["minLength"],
            "maxLength": about["maxLength"],
            "secret": kind.secret,
        }
        for name, about in properties.items()
    ]


def commands_of(request: HttpRequest, device: Device) -> dict[str, Any] | None:
    """Return the data of the device page's command tab; None without permission."""
    user: Any = request.user
    if not user.has_perm_on("command:read", device):
        return None
    ways = DeviceConnection.objects.by_ssh().filter(device=device)
    return {
        "url": f"/api/v1/controller/device/{device.pk}/command/",
        "sends": user.has_perm_on("command:create", device) and not device.is_deactivated,
        "reachable": bool(device.management_ip) and ways.exists(),
        "kinds": kinds([device.organization_id]),
    }


def run_on_many(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]
) -> HttpResponse:
    """Ask which command to run on the selected devices, then run it (admin action)."""
    user: Any = request.user
    devices, left = partition_targets(user, queryset)
    error = ""
    if "confirmed" in request.POST:
        try:
            return started(model_admin, request, devices)
        except Refused as refusal:
            error = str(refusal)
    context = model_admin.admin_site.each_context(request) | {
        "title": gettext("Run a command"),
        "opts": model_admin.opts,
        "devices": devices[:NAMED_MOST],
        "count": len(devices),
        "more": max(0, len(devices) - NAMED_MOST),
        "selected": request.POST.getlist("_selected_action"),
        "across": request.POST.get("select_across", "0"),
        "kinds": kinds({device.organization_id for device in devices}),
        "left": group_by_reason(left),
        "error": error,
    }
    return TemplateResponse(request, "admin/devices/device/command.html", context)


def started(
    model_admin: Any, request: HttpRequest, devices: list[Device]
) -> HttpResponseRedirect:
    if not devices:
        raise Refused(gettext("There is no device that it can be sent to."))
    shown = request.POST.get("count", "")
    if shown != str(len(devices)):
        raise Refused(CHANGED.format(len(devices), shown))
    try:
        given = json.loads(request.POST.get("input") or "null")
    except ValueError as error:
        raise Refused(gettext("The input is not JSON.")) from error
    by_owner: dict[Organization, list[Device]] = defaultdict(list)
    for device in devices:
        by_owner[device.organization].append(device)
    with transaction.atomic():
        batches = [
            send_to_many(
                chosen, organization=owner, type=request.POST.get("type", ""), input=given,
                label=request.POST.get("label", "")[:128],
            )
            for owner, chosen in by_owner.items()
        ]  # fmt: skip
    if len(batches) == 1:
        return HttpResponseRedirect(admin_url(CommandBatch, "change", batches[0].pk))
    model_admin.message_user(
        request,
        gettext("The command is on its way, in %(count)s organizations.")
        % {"count": len(batches)},
    )
    return HttpResponseRedirect(admin_url(CommandBatch, "changelist"))
