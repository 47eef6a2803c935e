"""Admin pages of the Home Assistant fleet: versions, add-ons, alerts and updates."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import (
    ChoicesDropdownFilter,
    RecordAdmin,
    ScopedRelatedFilter,
    admin_url,
    badge,
    display,
)
from controller.base.errors import Refused
from controller.devices.admin.badges import relative_time
from controller.devices.models import Device
from supervisor_proxy.admin.home_tab import HomeTab
from supervisor_proxy.admin.home_tables import table_of, version
from supervisor_proxy.models import Home, HomeAlert, Supervisor, UpdateCampaign
from supervisor_proxy.rules import campaigns

HEALTHS = {
    Home.Health.UNKNOWN: "mute",
    Home.Health.WELL: "good",
    Home.Health.UNSUPPORTED: "warn",
    Home.Health.UNHEALTHY: "bad",
}
PER_PAGE = 50


@admin.register(Home)
class HomeAdmin(HomeTab, RecordAdmin):
    resource = "supervisor"
    empty_hint = _(
        "Home Assistant devices appear here once their supervisor is added. They are checked every five minutes."
    )
    list_display = [
        "on", "organization", "core_shown", "system_shown", "supervisor_shown", "updates",
        "health_shown", "disk", "backed_up", "looked",
    ]  # fmt: skip
    list_filter = [
        ("supervisor__device__organization", ScopedRelatedFilter),
        ("health", ChoicesDropdownFilter),
        "core",
    ]
    list_select_related = ["supervisor__device__organization"]
    search_fields = ["supervisor__device__name", "core"]
    search_help_text = _("Device or version of Home Assistant")
    ordering = ["supervisor__device__name"]
    list_display_links = None
    actions = ["update_in_waves"]

    @display(description=_("Device"), ordering="supervisor__device__name")
    def on(self, obj: Home) -> str:
        link = f"{admin_url(Device, 'change', obj.supervisor.device_id)}#home"
        name = obj.supervisor.device.name
        return format_html('<a class="two-lines" href="{}">{}</a>', link, name)

    @display(description=_("Organization"), ordering="supervisor__device__organization__name")
    def organization(self, obj: Home) -> str:
        return obj.supervisor.device.organization.name

    @display(description=_("Home Assistant"), ordering="core")
    def core_shown(self, obj: Home) -> str:
        return version(obj.core, obj.core_latest)

    @display(description=_("System"), ordering="system")
    def system_shown(self, obj: Home) -> str:
        return version(obj.system, obj.system_latest)

    @display(description=_("Supervisor"), ordering="supervisor_version")
    def supervisor_shown(self, obj: Home) -> str:
        return version(obj.supervisor_version, obj.supervisor_latest)

    @display(description=_("Health"), ordering="health")
    def health_shown(self, obj: Home) -> str:
        if obj.reason:
            return badge(gettext("Not reached"), "bad", obj.reason)
        return badge(obj.get_health_display().capitalize(), HEALTHS[Home.Health(obj.health)])

    @display(description=_("Disk free"), ordering="disk_free")
    def disk(self, obj: Home) -> str:
        if obj.disk_free is None or not obj.disk_total:
            return "-"
        return gettext("%(disk_free)s of %(disk_total)s GB") % {
            "disk_free": format(obj.disk_free, ".0f"),
            "disk_total": format(obj.disk_total, ".0f"),
        }

    @display(description=_("Last backup"), ordering="last_backup")
    def backed_up(self, obj: Home) -> str:
        return relative_time(obj.last_backup)

    @display(description=_("Checked"), ordering="seen")
    def looked(self, obj: Home) -> str:
        return relative_time(obj.seen)

    # --- staged updates

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "manage")

    @admin.action(description=_("Update Home Assistant in waves …"), permissions=["manage"])
    def update_in_waves(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        rows = [
            home.supervisor
            for home in queryset.select_related("supervisor__device__organization")
        ]
        error = ""
        if "confirmed" in request.POST:
            try:
                return self.begun(request, rows)
            except Refused as refusal:
                error = str(refusal)
        context = self.admin_site.each_context(request) | {
            "title": gettext("Update Home Assistant in waves"),
            "opts": self.opts,
            "rows": rows,
            "selected": request.POST.getlist("_selected_action"),
            "across": request.POST.get("select_across", "0"),
            "error": error,
        }
        return TemplateResponse(request, "admin/supervisor_proxy/begin_campaign.html", context)

    def begun(self, request: HttpRequest, rows: list[Supervisor]) -> HttpResponse:
        owners = {row.device.organization for row in rows}
        if len(owners) != 1:
            raise Refused(gettext("Choose devices of one organization."))
        if request.POST.get("count") != str(len(rows)):
            raise Refused(
                gettext("To confirm, type the number of devices: %(count)s.")
                % {"count": len(rows)}
            )
        user: Any = request.user
        campaign = campaigns.start_campaign(
            user, rows, organization=owners.pop(), name=request.POST.get("name", ""),
            version=request.POST.get("version", "").strip(),
        )  # fmt: skip
        return HttpResponseRedirect(admin_url(UpdateCampaign, "change", campaign.pk))

    # --- pages

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("matrix/", view(self.matrix), name="home_matrix"),
            *super().get_urls(),
        ]

    def matrix(self, request: HttpRequest) -> HttpResponse:
        """Show a matrix of devices, add-ons and versions."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = (
            self.get_queryset(request)
            .select_related("supervisor__device")
            .order_by(*self.ordering)
        )
        if query := request.GET.get("q", ""):
            rows = rows.filter(supervisor__device__name__icontains=query)
        page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
        context = self.admin_site.each_context(request) | {
            "title": gettext("Add-ons of Home Assistant devices"), "opts": self.opts, "query": query,
            "page": page, **table_of(list(page)),
        }  # fmt: skip
        return TemplateResponse(request, "admin/supervisor_proxy/home_matrix.html", context)


@admin.register(HomeAlert)
class HomeAlertAdmin(RecordAdmin):
    resource = "supervisor"
    empty_hint = _("No device reports an issue, and no add-on has failed.")
    list_display = ["on", "organization", "kind", "about", "text", "created", "ended"]
    list_filter = [("supervisor__device__organization", ScopedRelatedFilter), "kind"]
    list_select_related = ["supervisor__device__organization"]
    search_fields = ["supervisor__device__name", "about"]
    fields = ["on", "kind", "about", "text", "created", "seen", "ended"]
    readonly_fields = fields

    @display(description=_("Device"), ordering="supervisor__device__name")
    def on(self, obj: HomeAlert) -> str:
        return obj.supervisor.device.name

    @display(description=_("Organization"), ordering="supervisor__device__organization__name")
    def organization(self, obj: HomeAlert) -> str:
        return obj.supervisor.device.organization.name
