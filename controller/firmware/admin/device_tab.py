"""The Firmware tab of a device's page."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from controller.accounts.rules.audit import record_audit
from controller.base.admin import admin_url, badge
from controller.base.derived_names import register_titles
from controller.base.errors import Refused
from controller.devices.admin.badges import relative_time
from controller.devices.models import Device
from controller.firmware.admin.upgrades import row_of
from controller.firmware.engine.options import CHOICES, Options
from controller.firmware.models import (
    ConfigurationBackup,
    DeviceFirmware,
    DeviceSystem,
    Image,
    Packages,
    Upgrade,
)
from controller.firmware.rules import package_upgrades, system_facts
from controller.firmware.rules.image_matching import TITLES as REASONS
from controller.firmware.rules.image_matching import checks, images_for, match_device
from controller.firmware.rules.upgrades import assign_image

MOST_IMAGES, MOST_UPGRADES = 20, 10


register_titles(lambda: [*CHOICES.values(), *REASONS.values()])


def firmware_of(request: HttpRequest, device: Device) -> dict[str, Any] | None:
    """Return the context of the tab; None for users who may not see firmware."""
    user: Any = request.user
    if not user.has_perm_on("firmware:read", device):
        return None
    system = DeviceSystem.objects.filter(device=device).first()
    firmware = (
        DeviceFirmware.objects.filter(device=device).select_related("image__build").first()
    )
    rows = Upgrade.objects.filter(device=device).select_related("device")
    return {
        "system": system,
        "read": relative_time(system.read_at) if system and system.read_at else "",
        "firmware": firmware,
        "proved": relative_time(firmware.proved) if firmware and firmware.proved else "",
        "images": choices(device, system),
        "flags": {name: gettext(text) for name, text in CHOICES.items()},
        "package_kinds": Packages.choices if is_host(device) else [],
        "backups": backups_of(user, device),
        "upgrades": [row_of(row) for row in rows[:MOST_UPGRADES]],
        "is_under_way": rows.filter(state__in=Upgrade.OPEN).exists(),
        "may_upgrade": user.has_perm_on("firmware:upgrade", device)
        and not device.is_deactivated,
    }


def is_host(device: Device) -> bool:
    return package_upgrades.hosts().filter(pk=device.pk).exists()


def backups_of(user: Any, device: Device) -> list[dict[str, Any]]:
    """Return the configuration backups of a device for those who may see its secrets."""
    if not user.has_perm_on("device:secret", device):
        return []
    rows = ConfigurationBackup.objects.filter(device=device).defer("archive")
    return [
        {
            "row": row,
            "taken": relative_time(row.created),
            "link": reverse("admin:firmware_device_backup", args=[device.pk, row.pk]),
        }
        for row in rows
    ]


def choices(device: Device, system: DeviceSystem | None) -> list[dict[str, Any]]:
    """Return the images for the board of a device, with what speaks against each."""
    if system is None:
        return []
    found = images_for(device).prefetch_related("boards")[:MOST_IMAGES]
    matches = [match_device(device, [image], Options(), image.pk) for image in found]
    return [
        {
            "row": one.image,
            "reasons": " ".join(why.text for why in one.reasons),
            "checks": [
                (title, badge("OK", "good") if is_passed else badge(gettext("No"), "warn"))
                for title, is_passed in checks(one)
            ],
        }
        for one in matches
    ]


def device_urls(view: Any) -> list[Any]:
    """Return the routes of the tab."""
    return [
        path(
            "device/<uuid:pk>/read/",
            view(require_POST(read_now)),
            name="firmware_device_read",
        ),
        path(
            "device/<uuid:pk>/upgrade/",
            view(require_POST(upgrade)),
            name="firmware_device_upgrade",
        ),
        path(
            "device/<uuid:pk>/packages/",
            view(require_POST(update_packages)),
            name="firmware_device_packages",
        ),
        path(
            "device/<uuid:pk>/backup/<uuid:backup>/",
            view(backup_file),
            name="firmware_device_backup",
        ),
    ]


def device_for(request: HttpRequest, pk: Any, to: str = "firmware:upgrade") -> Device:
    found: Device | None = Device.objects.visible_to(request.user, to).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def back(device: Device) -> HttpResponse:
    return HttpResponseRedirect(f"{admin_url(Device, 'change', device.pk)}#firmware")


def read_now(request: HttpRequest, pk: Any) -> HttpResponse:
    """Have the system of the device read by a worker."""
    device = device_for(request, pk)
    system_facts.read_soon(device)
    messages.info(request, gettext("The device is being asked. Look again in a moment."))
    return back(device)


def chosen_image(device: Device, pk: str) -> Image:
    """Return one of the images for a device; raise Refused for any other."""
    for image in images_for(device):
        if str(image.pk) == pk:
            return image
    raise Refused(gettext("Choose an image."))


def upgrade(request: HttpRequest, pk: Any) -> HttpResponse:
    device = device_for(request, pk)
    user: Any = request.user
    try:
        image = chosen_image(device, request.POST.get("image", ""))
        options = dict.fromkeys(request.POST.getlist("flags"), True)
        assign_image(device, image, options=options, author=user)
    except Refused as error:
        messages.error(request, str(error))
    return back(device)


def update_packages(request: HttpRequest, pk: Any) -> HttpResponse:
    """Start the update of a Debian host."""
    device = device_for(request, pk)
    user: Any = request.user
    which, may_restart = request.POST.get("packages", ""), "may_restart" in request.POST
    try:
        package_upgrades.start_update(device, which, may_restart=may_restart, author=user)
    except Refused as error:
        messages.error(request, str(error))
    return back(device)


def backup_file(request: HttpRequest, pk: Any, backup: Any) -> HttpResponse:
    """Return a configuration backup, which holds keys and passwords."""
    device = device_for(request, pk, "device:secret")
    row = ConfigurationBackup.objects.filter(device=device, pk=backup).first()
    if row is None:
        raise Http404
    record_audit("firmware.backup.download", device, by=request.user)  # type: ignore[arg-type]
    name = f"backup-{device.name}-{row.created:%Y-%m-%d-%H%M}.tar.gz"
    headers = {
        "Content-Disposition": content_disposition_header(as_attachment=True, filename=name)
        or ""
    }
    return HttpResponse(row.archive, content_type="application/gzip", headers=headers)
