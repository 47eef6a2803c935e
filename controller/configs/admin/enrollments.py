"""Admin of enrollment requests: approve or reject."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import (
    ChoicesDropdownFilter,
    RuleAdmin,
    ScopedRelatedFilter,
    action,
    admin_url,
    badge,
    display,
)
from controller.base.errors import Refused
from controller.configs.rules import enrollment as rules
from controller.devices.admin.badges import relative_time
from controller.devices.models import Device, Enrollment

TONES = {
    Enrollment.State.PENDING: "warn",
    Enrollment.State.APPROVED: "good",
    Enrollment.State.REJECTED: "mute",
}
COMPARE = _(
    "Compare the fingerprint with the one that the device shows. Only the holder of its private "
    "key can have sent this request."
)


@admin.register(Enrollment)
class EnrollmentAdmin(RuleAdmin):
    empty_hint = _(
        "Devices that enroll with their own key wait here for approval. Turn enrollment on in the settings of the organization."
    )
    search_rank = 6
    search_icon = "how_to_reg"
    resource = "device"
    delete_rule = rules.dismiss
    list_display = ["name", "organization", "mac_address", "key", "status", "last_asked"]
    list_filter = [
        ("state", ChoicesDropdownFilter), ("organization", ScopedRelatedFilter),
    ]  # fmt: skip
    list_select_related = ["organization"]
    search_fields = ["name", "mac_address", "fingerprint"]
    search_help_text = _("Name, MAC address or fingerprint")
    actions = ["approve_many", "reject_many"]
    actions_detail = ["approve", "reject"]
    fields = [
        ("name", "status"), ("organization", "mac_address"), "key",
        ("facts", "address"), ("last_asked", "decided"), ("decided_by", "device"),
    ]  # fmt: skip
    readonly_fields = [
        "name", "status", "organization", "mac_address", "key", "facts", "address", "last_asked",
        "decided", "decided_by", "device",
    ]  # fmt: skip

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if object_id is None:
            return self.may(request, "create")
        row = self.get_object(request, str(object_id))
        approved = Enrollment.State.APPROVED
        return row is not None and row.state != approved and self.may(request, "create", row)

    @display(description=_("Fingerprint"), ordering="fingerprint")
    def key(self, obj: Enrollment) -> str:
        return obj.fingerprint

    @display(description=_("State"), ordering="state")
    def status(self, obj: Enrollment) -> str:
        return badge(obj.get_state_display(), TONES[Enrollment.State(obj.state)])

    @display(description=_("Asked"), ordering="asked")
    def last_asked(self, obj: Enrollment) -> str:
        return relative_time(obj.asked)

    @display(description=_("Reported facts"))
    def facts(self, obj: Enrollment) -> str:
        return ", ".join(f"{name} {value}" for name, value in obj.told.items()) or "-"

    @admin.action(description=_("Approve selected devices"), permissions=["decide"])
    def approve_many(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.for_many(request, queryset, rules.approve, gettext("Approved"))

    @admin.action(description=_("Reject selected devices"), permissions=["decide"])
    def reject_many(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.for_many(request, queryset, rules.reject, gettext("Rejected"))

    def for_many(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        rule: Callable[..., Any],
        done: str,
    ) -> None:
        rows = list(queryset)
        if not all(self.may(request, "create", row) for row in rows):
            raise PermissionDenied
        for row in rows:
            rule(row, by=request.user)
        self.message_user(
            request,
            gettext("%(done)s: %(count)s devices.") % {"done": done, "count": len(rows)},
        )

    @action(description=_("Approve"), icon="check", permissions=["decide"])
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row: Enrollment = self.row_for(request, object_id, "create")
        there = rules.same_mac(row)
        texts: list[Any] = [
            gettext("%(name)s (%(mac_address)s) has the key %(fingerprint)s.")
            % {
                "name": row.name,
                "mac_address": row.mac_address,
                "fingerprint": row.fingerprint,
            },
            COMPARE,
        ]
        if there is not None:
            texts.append(
                gettext(
                    "%(there)s has this MAC address already: the one that asks takes its place "
                    "and configuration, and the former one's key is worth nothing any more."
                )
                % {"there": there.name}
            )
        if request.method != "POST":
            return self.asked(
                request, row, gettext("Approve"), texts, is_dangerous=there is not None
            )
        try:
            device = rules.approve(row, by=request.user, replaces=there is not None)  # type: ignore[arg-type]
        except Refused as error:
            self.message_user(request, str(error), "error")
            return HttpResponseRedirect(admin_url(Enrollment, "change", row.pk))
        self.message_user(
            request,
            gettext("%(device)s is approved. It gets its key with its next request.")
            % {"device": device},
        )
        return HttpResponseRedirect(admin_url(Device, "change", device.pk))

    @action(description=_("Reject"), icon="block", permissions=["decide"])
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row: Enrollment = self.row_for(request, object_id, "create")
        if request.method != "POST":
            texts: list[Any] = [
                gettext("The key %(fingerprint)s is rejected, also in later requests.")
                % {"fingerprint": row.fingerprint}
            ]
            return self.asked(request, row, gettext("Reject"), texts, is_dangerous=True)
        try:
            rules.reject(row, by=request.user)  # type: ignore[arg-type]
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(Enrollment, "changelist"))

    def asked(
        self,
        request: HttpRequest,
        row: Enrollment,
        verb: str,
        texts: list[Any],
        *,
        is_dangerous: bool,
    ) -> TemplateResponse:
        context = self.admin_site.each_context(request) | {
            "title": f"{verb} {row.name}?",
            "opts": self.opts,
            "verb": verb,
            "texts": texts,
            "is_dangerous": is_dangerous,
            "back": admin_url(Enrollment, "change", row.pk),
        }
        return TemplateResponse(request, "admin/plan.html", context)
