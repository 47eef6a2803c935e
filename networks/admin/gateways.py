"""Gateways, and the review of what is to be changed on them."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.html import format_html
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
from controller.base.errors import NotPermitted, Refused
from controller.devices.admin.showing import ago
from networks.models import Change, Gateway
from networks.rules import applying, changes
from networks.rules import gateways as rules

SECRETS = ("key", "secret")
TONES = {
    Change.State.PENDING: "busy",
    Change.State.APPLYING: "busy",
    Change.State.APPLIED: "good",
    Change.State.FAILED: "bad",
    Change.State.UNKNOWN: "warn",
    Change.State.DISCARDED: "mute",
    Change.State.ROLLED_BACK: "mute",
}


class GatewayForm(RuleForm):
    class Meta:
        model = Gateway
        fields = [
            "name", "organization", "site", "vendor", "url", "key", "secret", "ca_certificate",
        ]  # fmt: skip
        widgets = {
            name: UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
            for name in SECRETS
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in SECRETS:
            if name in self.fields and not self.instance._state.adding:
                self.initial[name] = ""
                self.fields[name].required = False
                self.fields[name].help_text = "Stored. Leave it empty to keep what is stored."

    def rule_values(self) -> dict[str, Any]:
        values = super().rule_values()
        return {name: v for name, v in values.items() if v or name not in SECRETS}

    def _get_validation_exclusions(self) -> Any:
        # Empty keeps what is stored, which the model itself does not know.
        return {*super()._get_validation_exclusions(), *SECRETS}  # type: ignore[misc]


@admin.register(Gateway)
class GatewayAdmin(RuleAdmin):
    resource = "gateway"
    form = GatewayForm
    create_rule = rules.create_gateway
    update_rule = rules.update_gateway
    delete_rule = rules.delete_gateway
    list_display = ["name", "organization", "site", "vendor", "url", "version", "waiting"]
    list_filter = [
        ("organization", ScopedRelatedFilter), ("vendor", ChoicesDropdownFilter),
    ]  # fmt: skip
    list_select_related = ["organization", "site"]
    search_fields = ["name", "url"]
    ordering = ["name"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = [
            ("name", "vendor"), ("organization", "site"), "url", ("key", "secret"),
            "ca_certificate",
        ]  # fmt: skip
        return [*fields, ("version", "last_seen", "trouble"), "waiting"] if obj else fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["organization", "version", "last_seen", "trouble", "waiting"] if obj else []

    @display(description="Changes")
    def waiting(self, obj: Gateway) -> str:
        link = f"{admin_url(Change, 'changelist')}?gateway__id__exact={obj.pk}"
        return format_html('<a href="{}">Show them</a>', link)


@admin.register(Change)
class ChangeAdmin(RuleAdmin):
    resource = "network"
    list_display = ["__str__", "gateway", "status", "author", "staged"]
    list_filter = [
        ("gateway", ScopedRelatedFilter), ("state", ChoicesDropdownFilter),
    ]  # fmt: skip
    list_select_related = ["gateway", "author"]
    search_fields = ["feature", "notes"]
    fields = ["notes"]
    readonly_fields = ["notes"]
    change_form_template = "admin/networks/change/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("gateway__organization", "author")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission

    @display(description="State", ordering="state")
    def status(self, obj: Change) -> str:
        return badge(obj.get_state_display(), TONES[Change.State(obj.state)], obj.outcome)

    @display(description="Staged", ordering="created")
    def staged(self, obj: Change) -> str:
        return ago(obj.created)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            *(
                path(
                    f"<uuid:pk>/{verb}/",
                    view(require_POST(self.move)),
                    {"verb": verb},
                    name=f"networks_change_{verb}",
                )
                for verb in ("apply", "discard", "roll-back")
            ),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        change = kw.get("obj")
        if change is not None:
            context |= self.page_of(request, change)
        return super().render_change_form(request, context, *args, **kw)

    def page_of(self, request: HttpRequest, change: Change) -> dict[str, Any]:
        user: Any = request.user
        found: dict[str, Any] = {
            "staged": change,
            "status": self.status(change),
            "read_only": settings.ADAPTER_READ_ONLY,
            "hidden": sorted(change.secrets or {}),
            "may_write": True,
        }
        try:
            changes.may_write(user, change.gateway, change.what)
        except NotPermitted:
            found["may_write"] = False
        try:
            rows, drift = changes.differences(change)
        except Refused as error:
            rows, drift = changes.compared(change, change.before), False
            found["trouble"] = f"What it holds now is not known: {error}"
        return found | {"differences": rows, "drift": drift}

    def move(self, request: HttpRequest, pk: Any, verb: str) -> HttpResponse:
        change = self.row_for(request, str(pk), "read")
        user: Any = request.user
        try:
            if verb == "apply":
                applying.apply(change, by=user, force=True)
            elif verb == "discard":
                changes.discard(change, by=user)
            else:
                changes.may_write(user, change.gateway, change.what)
                change = changes.plan_inverse(change, by=user)
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(Change, "change", change.pk))
