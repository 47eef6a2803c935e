"""Admin pages of backup plans and of Home Assistant backups stored in the portal."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.accounts.rules.audit import record_audit
from controller.base.admin import (
    ChoicesDropdownFilter,
    RuleAdmin,
    RuleForm,
    ScopedRelatedFilter,
    admin_url,
    badge,
    display,
)
from controller.base.errors import Refused
from controller.devices.admin.badges import relative_time
from controller.devices.models import Device
from supervisor_proxy.models import BackupPlan, StoredBackup
from supervisor_proxy.rules import backups as rules

State = StoredBackup.State
TONES = {
    State.WAITING: "busy", State.MADE: "busy", State.STORED: "good", State.FAILED: "bad",
}  # fmt: skip
LAST = 20


def state_of(row: StoredBackup) -> str:
    return badge(row.get_state_display().capitalize(), TONES[State(row.state)], row.reason)


class PlanForm(RuleForm):
    user: Any = None

    class Meta:
        model = BackupPlan
        fields = ["name", "organization", "group", "enabled", "hours", "keep", "keep_on_device"]

    def apply_rule(self) -> BackupPlan:
        values = self.rule_values()
        if self.instance._state.adding:
            return rules.add_plan(self.user, **values)
        return rules.update_plan(self.row(), user=self.user, **values)


@admin.register(BackupPlan)
class BackupPlanAdmin(RuleAdmin):
    empty_hint = _(
        "A plan backs up all Home Assistant devices of an organization or a group, and keeps the newest backups here."
    )
    resource = "supervisor"
    form = PlanForm
    delete_rule = rules.remove_plan
    list_display = ["name", "organization", "of", "every", "kept", "failures", "last", "state"]
    list_filter = [("organization", ScopedRelatedFilter), "enabled"]
    list_select_related = ["organization", "group"]
    search_fields = ["name"]
    fieldsets = [
        (None, {"fields": [("name", "organization"), "group", "enabled"]}),
        (_("Schedule"), {"fields": ["hours", ("keep", "keep_on_device")]}),
    ]
    change_form_template = "admin/supervisor_proxy/backupplan/change_form.html"

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        return super().may(request, verb if verb == "read" else "manage", obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        stored = Q(backups__state=State.STORED)
        return super().get_queryset(request).annotate(
            stored=Count("backups", stored),
            failed=Count("backups", Q(backups__state=State.FAILED)),
            newest=Max("backups__created", filter=stored),
        )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["organization"] if obj else []

    @display(description=_("Devices"))
    def of(self, obj: BackupPlan) -> str:
        return (
            gettext("Group %(group)s") % {"group": obj.group}
            if obj.group
            else gettext("All its devices")
        )

    @display(description=_("Every"), ordering="hours")
    def every(self, obj: BackupPlan) -> str:
        return gettext("%(hours)s h") % {"hours": obj.hours}

    @display(description=_("Stored"), ordering="stored")
    def kept(self, obj: Any) -> int:
        return int(obj.stored)

    @display(description=_("Failed"), ordering="failed")
    def failures(self, obj: Any) -> str:
        return badge(str(obj.failed), "bad") if obj.failed else "0"

    @display(description=_("Newest"), ordering="newest")
    def last(self, obj: Any) -> str:
        return relative_time(obj.newest)

    @display(description=_("State"), ordering="enabled")
    def state(self, obj: BackupPlan) -> str:
        return badge(gettext("On"), "good") if obj.enabled else badge(gettext("Off"), "mute")

    def deletion_effects(self, obj: BackupPlan) -> list[str]:
        return [gettext("The backups it made stay, as long as their devices do.")]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        plan = kw.get("obj")
        if plan is not None:
            rows = StoredBackup.objects.visible_to(request.user).filter(plan=plan)
            every = f"{admin_url(StoredBackup, 'changelist')}?plan__id__exact={plan.pk}"
            context |= {
                "last": [told(row) for row in rows.select_related("supervisor__device")[:LAST]],
                "every": every,
            }
        return super().render_change_form(request, context, *args, **kw)


def told(row: StoredBackup) -> dict[str, Any]:
    return {
        "device": row.supervisor.device.name,
        "link": admin_url(StoredBackup, "change", row.pk),
        "state": state_of(row),
        "reason": row.reason,
        "size": filesizeformat(row.size) if row.size else "-",
        "made": relative_time(row.created),
    }


@admin.register(StoredBackup)
class StoredBackupAdmin(RuleAdmin):
    empty_hint = _(
        "Plans make backups. Add a plan, and the first backups start within a minute."
    )
    resource = "supervisor"
    delete_rule = rules.delete_stored
    warn_unsaved_form = False
    list_display = ["on", "organization", "of_plan", "state", "bytes", "made", "there"]
    list_filter = [
        ("supervisor__device__organization", ScopedRelatedFilter),
        ("state", ChoicesDropdownFilter), ("plan", ScopedRelatedFilter),
    ]  # fmt: skip
    list_select_related = ["supervisor__device__organization", "plan"]
    search_fields = ["supervisor__device__name", "slug", "sha256"]
    search_help_text = _("Device, or name or SHA-256 of the backup")
    change_form_template = "admin/supervisor_proxy/storedbackup/change_form.html"

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        if verb in {"create", "update"}:
            return False
        return super().may(request, "manage" if verb == "delete" else verb, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).defer("password")
        return rows.select_related("supervisor__device__organization", "plan")

    @display(description=_("Device"), ordering="supervisor__device__name")
    def on(self, obj: StoredBackup) -> str:
        return obj.supervisor.device.name

    @display(description=_("Organization"), ordering="supervisor__device__organization__name")
    def organization(self, obj: StoredBackup) -> str:
        return obj.supervisor.device.organization.name

    @display(description=_("Plan"), ordering="plan__name")
    def of_plan(self, obj: StoredBackup) -> str:
        return str(obj.plan or "-")

    @display(description=_("State"), ordering="state")
    def state(self, obj: StoredBackup) -> str:
        return state_of(obj)

    @display(description=_("Size"), ordering="size")
    def bytes(self, obj: StoredBackup) -> str:
        return filesizeformat(obj.size) if obj.size else "-"

    @display(description=_("Created"), ordering="created")
    def made(self, obj: StoredBackup) -> str:
        return relative_time(obj.created)

    @display(description=_("On the device"), ordering="is_on_device", boolean=True)
    def there(self, obj: StoredBackup) -> bool:
        return obj.is_on_device

    def deletion_effects(self, obj: StoredBackup) -> list[str]:
        return [gettext("The copy on its device stays.")] if obj.is_on_device else []

    # --- page

    def get_urls(self) -> list[Any]:
        view, name = self.admin_site.admin_view, "stored_backup"
        return [
            path("<uuid:pk>/download/", view(self.download), name=f"{name}_download"),
            path("<uuid:pk>/send/", view(require_POST(self.send)), name=f"{name}_send"),
            path("<uuid:pk>/password/", view(require_POST(self.password)),
                 name=f"{name}_password"),
            *super().get_urls(),
        ]  # fmt: skip

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        row = kw.get("obj")
        if row is not None:
            user: Any = request.user
            is_here = row.state == State.STORED
            context |= {
                "title": str(row),
                "backup": row,
                "device_link": f"{admin_url(Device, 'change', row.supervisor.device_id)}#home",
                "facts": self.facts(row),
                "downloads": is_here and user.has_perm_on("supervisor:download", row),
                "sends": is_here and user.has_perm_on("supervisor:backup", row),
                "reads_password": user.has_perm_on("supervisor:secret", row),
            }
        return super().render_change_form(request, context, *args, **kw)

    def facts(self, row: StoredBackup) -> dict[str, Any]:
        link = admin_url(BackupPlan, "change", row.plan_id) if row.plan_id else ""
        plan = format_html('<a class="link" href="{}">{}</a>', link, row.plan) if link else "-"
        return {
            gettext("State"): state_of(row), gettext("Plan"): plan, gettext("Made"): relative_time(row.created),
            gettext("Fetched"): relative_time(row.fetched), gettext("Size"): self.bytes(row), gettext("SHA-256"): row.sha256 or "-",
            gettext("Home Assistant"): row.core or "-", gettext("Name on the device"): row.slug or "-",
            gettext("Still on the device"): gettext("yes") if row.is_on_device else gettext("no"),
        }  # fmt: skip

    def download(self, request: HttpRequest, pk: Any) -> HttpResponseBase:
        row = self.row_for(request, str(pk), "download")
        try:
            parts = rules.opened(row)
        except Refused as refusal:
            return self.told_on_page(request, row, refusal)
        record_audit("backup.downloaded", row)
        name = f"{row.supervisor.device.name}-{row.slug}.tar"
        return StreamingHttpResponse(
            parts, content_type="application/tar",
            headers={"Content-Disposition": f'attachment; filename="{name}"',
                     "Content-Length": str(row.size), "Cache-Control": "no-store"},
        )  # fmt: skip

    def send(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Upload the backup to its device, where it can be restored."""
        row = self.row_for(request, str(pk), "backup")
        user: Any = request.user
        try:
            job = rules.send_back(user, row)
            if job.refusal is not None:
                raise job.refusal
        except Refused as refusal:
            return self.told_on_page(request, row, refusal)
        self.message_user(
            request,
            gettext(
                "It is on its device again: restore it there, under “Backups on the device”. "
                "Home Assistant asks for its password."
            ),
        )
        link = admin_url(Device, "change", row.supervisor.device_id)
        return HttpResponseRedirect(f"{link}#home")

    def password(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Show the page with the password needed to restore the backup."""
        row = self.row_for(request, str(pk), "secret")
        record_audit("backup.password_shown", row)
        # On POST, Django's change view would expect a submitted form.
        request.method = "GET"
        shown = self.change_view(request, str(pk), extra_context={"password": row.password})
        shown["Cache-Control"] = "no-store"
        return shown

    def told_on_page(
        self, request: HttpRequest, row: StoredBackup, refusal: Refused
    ) -> HttpResponse:
        self.message_user(request, str(refusal), messages.ERROR)
        return HttpResponseRedirect(admin_url(StoredBackup, "change", row.pk))
