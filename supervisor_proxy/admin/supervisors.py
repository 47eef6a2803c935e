"""Admin pages of supervisors: list, batch calls, and the tab of a device's page."""

import json
from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.base.admin import (
    ChoicesDropdownFilter,
    RuleAdmin,
    RuleForm,
    ScopedRelatedFilter,
    UnfoldAdminPasswordWidget,
    admin_url,
    badge,
    display,
)
from controller.base.errors import Refused
from controller.devices.admin.badges import relative_time
from controller.devices.models import Device
from supervisor_proxy.admin.calls import shown_call
from supervisor_proxy.engine import balena
from supervisor_proxy.engine.routes import MASK, Route, gate
from supervisor_proxy.models import Supervisor, SupervisorBatch, SupervisorCall
from supervisor_proxy.rules import supervisors as rules
from supervisor_proxy.rules.batch_calls import ask_many_later
from supervisor_proxy.rules.call_execution import ask
from supervisor_proxy.rules.call_requests import CallJob, match_route

NAMED_MOST = 20
LAST_CALLS = 15
JOURNAL_LINES = 50
KEY_TONES = {
    Supervisor.KeyState.GOOD: "good",
    Supervisor.KeyState.UNPROVEN: "mute",
    Supervisor.KeyState.MISSING: "warn",
    Supervisor.KeyState.INVALID: "bad",
    Supervisor.KeyState.UNKNOWN: "bad",
}
# Buttons of the page, and which of them need confirmation.
BUTTONS: Mapping[str, str | Promise] = {
    "ping": _("Ping"),
    "blink": _("Identify"),
    "update": _("Check for updates"),
    "restart": _("Restart application"),
    "reboot": _("Reboot"),
    "shutdown": _("Shut down"),
    "purge": _("Purge data"),
    "regenerate-api-key": _("New key"),
}
OF_MANY = ("blink", "update", "restart", "reboot", "shutdown", "purge")
EFFECTS: Mapping[str, str | Promise] = {
    "restart": _("The containers of the application stop and start again."),
    "reboot": _("The device is away for a while."),
    "shutdown": _("Nobody can switch it on again from here."),
    "purge": _("Everything in the application's /data is removed."),
    "regenerate-api-key": _(
        "The application is restarted with the new key at its next update."
    ),
}


def is_serious(route: Route) -> bool:
    return route.dangerous or route.leaves


class SupervisorForm(RuleForm):
    class Meta:
        model = Supervisor
        fields = [
            "device", "flavor", "transport", "uuid", "app_id", "address", "port", "version", "key",
        ]  # fmt: skip
        widgets = {
            "key": UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "key" in self.fields and self.instance.key:
            self.initial["key"] = ""
            self.fields["key"].help_text = gettext(
                "Stored. Leave it empty to keep what is stored."
            )

    def rule_values(self) -> dict[str, Any]:
        values = super().rule_values()
        if not values.get("key"):
            values.pop("key", None)
        return values


@admin.register(Supervisor)
class SupervisorAdmin(RuleAdmin):
    empty_hint = _(
        "The portal calls balena and Home Assistant supervisors. Add the address and key of a device."
    )
    search_rank = 5
    search_icon = "developer_board"
    resource = "supervisor"
    form = SupervisorForm
    create_rule = rules.add_supervisor
    update_rule = rules.update_supervisor
    delete_rule = rules.remove_supervisor
    list_display = [
        "device_name",
        "organization",
        "app_id",
        "version",
        "key_badge",
        "reported_at",
    ]
    list_filter = [
        ("device__organization", ScopedRelatedFilter),
        ("flavor", ChoicesDropdownFilter),
        ("key_state", ChoicesDropdownFilter),
    ]
    list_select_related = ["device__organization"]
    search_fields = ["device__name", "uuid", "=app_id", "version"]
    search_help_text = _("Name, UUID, application or version")
    ordering = ["device__name"]
    actions = ["call_many"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["device", "key_badge"] if obj else []

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = [
            ("device", "flavor"),
            ("transport", "version"),
            ("uuid", "app_id"),
            ("address", "port"),
            "key",
        ]
        return [*fields, "key_badge"] if obj else fields

    @display(description=_("Device"), ordering="device__name")
    def device_name(self, obj: Supervisor) -> str:
        return obj.device.name

    @display(description=_("Organization"), ordering="device__organization__name")
    def organization(self, obj: Supervisor) -> str:
        return obj.device.organization.name

    @display(description=_("Key"), ordering="key_state")
    def key_badge(self, obj: Supervisor) -> str:
        label = obj.get_key_state_display().capitalize()
        return badge(label, KEY_TONES[Supervisor.KeyState(obj.key_state)])

    @display(description=_("Last report"), ordering="last_report")
    def reported_at(self, obj: Supervisor) -> str:
        return relative_time(obj.last_report)

    # --- batch calls

    def has_act_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "act")

    @admin.action(description=_("Call the selected devices …"), permissions=["act"])
    def call_many(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        rows = list(queryset.select_related("device__organization").order_by("device__name"))
        error = ""
        if "confirmed" in request.POST:
            try:
                return self.started(request, rows)
            except Refused as refusal:
                error = str(refusal)
        context = self.admin_site.each_context(request) | {
            "title": gettext("Call supervisors"),
            "opts": self.opts,
            "rows": rows[:NAMED_MOST],
            "more": max(0, len(rows) - NAMED_MOST),
            "count": len(rows),
            "calls": [
                {"name": name, "label": BUTTONS[name], "effect": EFFECTS.get(name, "")}
                for name in OF_MANY
            ],
            "selected": request.POST.getlist("_selected_action"),
            "across": request.POST.get("select_across", "0"),
            "error": error,
        }
        return TemplateResponse(request, "admin/supervisor_proxy/call_many.html", context)

    def started(self, request: HttpRequest, rows: list[Supervisor]) -> HttpResponse:
        name = request.POST.get("name", "")
        if name not in OF_MANY:
            raise Refused(gettext("Choose a call."))
        if is_serious(balena.BY_NAME[name]) and request.POST.get("count") != str(len(rows)):
            raise Refused(
                gettext("To confirm, type the number of devices: %(count)s.")
                % {"count": len(rows)}
            )
        user: Any = request.user
        data = {"force": True} if request.POST.get("force") else {}
        route = balena.BY_NAME[name]
        wanted = match_route(
            Supervisor.Flavor.BALENA, method=route.method, path=route.pattern,
            data=data if route.takes_force else {},
        )  # fmt: skip
        batch = ask_many_later(user, rows, wanted)
        return HttpResponseRedirect(admin_url(SupervisorBatch, "change", batch.pk))

    # --- tab of a device

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/look/", view(self.look), name="supervisor_look"),
            path("<int:pk>/call/", view(require_POST(self.call)), name="supervisor_call"),
            *super().get_urls(),
        ]

    def look(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Return the device's live state, services and the end of its journal."""
        row: Supervisor = self.row_for(request, str(pk), "read")
        user: Any = request.user
        found: dict[str, Any] = {"key": str(self.key_badge(row))}
        parts: dict[str, dict[str, Any]] = {"device": {}, "state": {}}
        if user.has_perm_on("supervisor:act", row) and request.GET.get("journal"):
            parts = {"journal": {"count": JOURNAL_LINES}}
        for name, data in parts.items():
            try:
                gate(balena.BY_NAME[name], row.version)
                found[name] = told(self.made(user, row, name, data))
            except Refused as refusal:
                found[name] = {"error": str(refusal)}
        row.refresh_from_db()
        return JsonResponse(
            found | {"version": row.version, "key": str(self.key_badge(row)),
                     "calls": last_calls(row)}
        )  # fmt: skip

    def made(self, user: Any, row: Supervisor, name: str, data: Any) -> CallJob:
        route = balena.BY_NAME[name]
        wanted = match_route(row.flavor, method=route.method, path=route.pattern, data=data)
        return ask(user, row, wanted)

    def call(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Make the call of a button. Dangerous calls require the device's name again."""
        row: Supervisor = self.row_for(request, str(pk), "read")
        try:
            sent = json.loads(request.body or b"{}")
            name, force = str(sent.get("name", "")), sent.get("force") is True
        except (ValueError, AttributeError):
            return JsonResponse({"error": gettext("JSON is expected.")}, status=400)
        if name not in BUTTONS:
            raise PermissionDenied
        route = balena.BY_NAME[name]
        if (is_serious(route) or force) and sent.get("confirm") != row.device.name:
            said = gettext("To confirm, type the name of the device: %(name)s.") % {
                "name": row.device.name
            }
            return JsonResponse({"error": said}, status=400)
        data = {"force": True} if force and route.takes_force else {}
        try:
            shown = told(self.made(request.user, row, name, data))
        except Refused as refusal:
            shown = {"error": str(refusal)}
        return JsonResponse(shown | {"calls": last_calls(row)})


def told(job: CallJob) -> dict[str, Any]:
    if job.refusal is not None:
        return {"error": str(job.refusal)}
    answer = job.answer
    if answer is None:
        return {"error": gettext("It is not done yet.")}
    if answer.is_locked:
        return {
            "error": gettext("An application on the device holds its lock."),
            "locked": True,
        }
    value = MASK if job.wish.route.secret else answer.value
    return {"value": value} if answer.is_good else {"error": f"{answer.status}: {answer.text}"}


def last_calls(row: Supervisor) -> list[dict[str, Any]]:
    calls = SupervisorCall.objects.filter(supervisor=row).exclude(
        name__in=("device", "state", "journal"), state="succeeded"
    )
    return [shown_call(call) for call in calls[:LAST_CALLS]]


def supervisor_of(request: HttpRequest, device: Device) -> dict[str, Any] | None:
    """Return the context of the Supervisor tab, or None if not permitted."""
    user: Any = request.user
    row = Supervisor.objects.filter(device=device, flavor=Supervisor.Flavor.BALENA).first()
    if row is None or not user.has_perm_on("supervisor:read", device):
        return None
    row.device = device
    address = rules.address_of(row)
    return {
        "row": row,
        "reads_journal": user.has_perm_on("supervisor:act", row),
        "address": f"{address}:{row.port}" if address else "",
        "settings": admin_url(Supervisor, "change", row.pk),
        "every": f"{admin_url(SupervisorCall, 'changelist')}?supervisor__id__exact={row.pk}",
        "forces": user.has_perm_on("supervisor:force", row),
        "buttons": [
            {
                "name": name,
                "label": label,
                "serious": is_serious(balena.BY_NAME[name]),
                "dangerous": balena.BY_NAME[name].dangerous,
                "effect": EFFECTS.get(name, ""),
                "takes_force": balena.BY_NAME[name].takes_force,
            }
            for name, label in BUTTONS.items()
            if user.has_perm_on(f"supervisor:{balena.BY_NAME[name].permission}", row)
        ]
        if not device.is_deactivated
        else [],
    }
