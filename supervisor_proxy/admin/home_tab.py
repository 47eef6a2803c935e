"""The Home Assistant tab of a device's page: live state and actions."""

import json
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.base.admin import admin_url
from controller.base.errors import Refused
from controller.devices.admin.badges import relative_time
from controller.devices.models import Device
from supervisor_proxy.admin.home_tables import BACKUPS, STATES, backups_of, host_of, version
from supervisor_proxy.admin.supervisors import last_calls, told
from supervisor_proxy.engine.hassio import LONG
from supervisor_proxy.models import Home, HomeAlert, Supervisor, SupervisorCall
from supervisor_proxy.rules import home_assistant_polling
from supervisor_proxy.rules.batch_calls import ask_later
from supervisor_proxy.rules.call_execution import ask
from supervisor_proxy.rules.call_requests import match_route
from supervisor_proxy.rules.streamed_transfers import backup_of, download
from supervisor_proxy.rules.supervisors import address_of

# name: call, label, effect in words if it must be confirmed by the device's name.
CALLS: dict[str, tuple[str, str | Promise, str | Promise]] = {
    "check": ("POST core/check", _("Check configuration"), ""),
    "restart-core": ("POST core/restart", _("Restart Home Assistant"), ""),
    "update-core": ("POST core/update", _("Update Home Assistant"), _("Automations stand still meanwhile.")),
    "update-supervisor": ("POST supervisor/update", _("Update supervisor"), ""),
    "update-os": ("POST os/update", _("Update the system"), _("The device downloads it and reboots.")),
    "backup": ("POST backups/new/full", _("Create a backup"), ""),
    "reboot": ("POST host/reboot", _("Reboot"), _("The device is away for some minutes.")),
    "shutdown": ("POST host/shutdown", _("Shut down"), _("Nobody can switch it on again from here.")),
    "start": ("POST addons/{}/start", _("Start"), ""),
    "stop": ("POST addons/{}/stop", _("Stop"), ""),
    "restart": ("POST addons/{}/restart", _("Restart"), ""),
    "update": ("POST addons/{}/update", _("Update"), ""),
    "restore": ("POST backups/{}/restore/full", _("Restore"), _("Everything on the device becomes as it was then.")),
    "remove": ("POST backups/{}/remove", _("Remove"), _("The backup is gone for good.")),
}  # fmt: skip
OF_DEVICE = tuple(name for name, (call, *_) in CALLS.items() if "{}" not in call)
LOGS = ("core", "supervisor", "host")
LOG_LINES = 100


def wanted(name: str, place: str) -> Any:
    method, _, pattern = CALLS[name][0].partition(" ")
    return match_route(
        Supervisor.Flavor.HASSIO, method=method, path=pattern.format(place), data={}
    )


def is_serious(name: str) -> bool:
    route = wanted(name, "x").route
    return route.dangerous or route.leaves or name == "update-core"


class HomeTab:
    """Views behind the Home Assistant tab: its live data and its buttons."""

    admin_site: Any
    message_user: Any
    health_shown: Any
    disk: Any

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("on/<int:pk>/look/", view(self.look), name="home_look"),
            path("on/<int:pk>/logs/", view(self.logs), name="home_logs"),
            path("on/<int:pk>/call/", view(require_POST(self.call)), name="home_call"),
            path("on/<int:pk>/icon/<slug:slug>/", view(self.icon), name="home_icon"),
            path("on/<int:pk>/backup/<slug:slug>/", view(self.backup), name="home_backup"),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def row(self, request: HttpRequest, pk: int, verb: str = "read") -> Supervisor:
        user: Any = request.user
        found = (
            Supervisor.objects.visible_to(user, "supervisor:read")
            .select_related("device__organization")
            .filter(pk=pk, flavor=Supervisor.Flavor.HASSIO)
            .first()
        )
        if found is None:
            raise Http404
        if not user.has_perm_on(f"supervisor:{verb}", found):
            raise PermissionDenied
        row: Supervisor = found
        return row

    def look(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Return the device's live state."""
        row = self.row(request, pk)
        data = home_assistant_polling.look_at([row])[row.pk]
        home = Home.objects.get(supervisor=row)
        row.refresh_from_db()
        facts = {
            "Home Assistant": version(home.core, home.core_latest),
            "System": version(home.system, home.system_latest),
            "Supervisor": version(home.supervisor_version, home.supervisor_latest),
            "Health": self.health_shown(home),
            "Disk free": self.disk(home),
            "Last backup": relative_time(home.last_backup),
        }
        return JsonResponse({
            "facts": facts, "error": home.reason, "host": host_of(data),
            "addons": home.addons, "states": STATES, "backups": backups_of(data),
            "alerts": [{"kind": one.kind, "about": one.about, "text": one.text}
                       for one in HomeAlert.objects.filter(supervisor=row, ended=None)[:BACKUPS]],
            "calls": last_calls(row),
        })  # fmt: skip

    def logs(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Return the end of a log. The access is recorded."""
        row = self.row(request, pk, "logs")
        user: Any = request.user
        of = request.GET.get("of", "core")
        name = f"{of}/logs" if of in LOGS else f"addons/{of}/logs"
        try:
            shown = told(ask(user, row, match_route(row.flavor, method="GET", path=name)))
        except Refused as refusal:
            shown = {"error": str(refusal)}
        if isinstance(text := shown.get("value"), str):
            shown["value"] = "\n".join(text.splitlines()[-LOG_LINES:])
        return JsonResponse(shown)

    def icon(self, request: HttpRequest, pk: int, slug: str) -> HttpResponse:
        row = self.row(request, pk)
        picture = home_assistant_polling.icon_of(row, slug)
        if picture is None:
            raise Http404
        answer = HttpResponse(picture, content_type="image/png")
        answer["Cache-Control"] = "private, max-age=86400"
        answer["X-Content-Type-Options"] = "nosniff"
        return answer

    def backup(self, request: HttpRequest, pk: int, slug: str) -> HttpResponseBase:
        """Stream a backup from the device."""
        row = self.row(request, pk, "download")
        user: Any = request.user
        try:
            stream = download(user, row, backup_of(slug))
        except Refused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return HttpResponseRedirect(f"{admin_url(Device, 'change', row.device_id)}#home")
        return StreamingHttpResponse(
            stream.parts, content_type="application/tar",
            headers={"Content-Disposition": f'attachment; filename="{row.device.name}-{slug}.tar"',
                     "Cache-Control": "no-store"},
        )  # fmt: skip

    def call(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Make the call of a button. Dangerous calls require the device's name again."""
        row = self.row(request, pk)
        try:
            sent = json.loads(request.body or b"{}")
            name, place = str(sent.get("name", "")), str(sent.get("place", "x"))
        except (ValueError, AttributeError):
            return JsonResponse({"error": gettext("JSON is expected.")}, status=400)
        if name not in CALLS:
            raise PermissionDenied
        if is_serious(name) and sent.get("confirm") != row.device.name:
            said = gettext("To confirm, type the name of the device: %(name)s.") % {
                "name": row.device.name
            }
            return JsonResponse({"error": said}, status=400)
        user: Any = request.user
        try:
            one = wanted(name, place)
            if one.route.seconds > LONG:
                ask_later(user, row, one)
                shown: dict[str, Any] = {
                    "value": gettext("It is being done; see below how far it is.")
                }
            else:
                shown = told(ask(user, row, one))
        except Refused as refusal:
            shown = {"error": str(refusal)}
        return JsonResponse(shown | {"calls": last_calls(row)})


def home_of(request: HttpRequest, device: Device) -> dict[str, Any] | None:
    """Return the context of the Home Assistant tab, or None if not permitted."""
    user: Any = request.user
    row = Supervisor.objects.filter(device=device, flavor=Supervisor.Flavor.HASSIO).first()
    if row is None or not user.has_perm_on("supervisor:read", device):
        return None
    row.device = device

    def may(name: str) -> bool:
        permission = wanted(name, "x").route.permission
        return (
            bool(user.has_perm_on(f"supervisor:{permission}", row))
            and not device.is_deactivated
        )

    address = address_of(row)
    return {
        "row": row,
        "address": f"{address}:{row.port}" if address else "",
        "settings": admin_url(Supervisor, "change", row.pk),
        "every": f"{admin_url(SupervisorCall, 'changelist')}?supervisor__id__exact={row.pk}",
        "fleet": reverse("admin:supervisor_proxy_home_changelist"),
        "logs": LOGS if user.has_perm_on("supervisor:logs", row) else (),
        "buttons": [button(name) for name in OF_DEVICE if may(name)],
        "on_addon": [
            button(name) for name in ("start", "stop", "restart", "update") if may(name)
        ],
        "on_backup": [button(name) for name in ("restore", "remove") if may(name)],
        "downloads": reverse("admin:home_backup", args=[row.pk, "x"])
        if user.has_perm_on("supervisor:download", row)
        else "",
    }


def button(name: str) -> dict[str, Any]:
    _, label, effect = CALLS[name]
    return {
        "name": name,
        "label": label,
        "effect": effect,
        "serious": is_serious(name),
        "dangerous": wanted(name, "x").route.dangerous,
    }
