"""Admin pages of gateways, their pending changes, and staging of new changes."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
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
from controller.base.errors import NotPermitted, Refused
from controller.devices.admin.badges import relative_time
from networks.gateways.admin.backups import latest_of
from networks.gateways.admin.change_review import drawer_of
from networks.gateways.admin.connection_test import UNTESTED, TestedForm, TestsConnection
from networks.gateways.admin.feature_titles import shown_phrase, translated
from networks.gateways.admin.live import LiveView
from networks.gateways.admin.stage_change import StageForm, choices, chosen
from networks.gateways.engine.features import Feature
from networks.gateways.models import Change, ChangeSet, Gateway, GatewayBackup
from networks.gateways.rules import backups, change_sets, changes, transitions
from networks.gateways.rules import gateways as rules
from networks.gateways.rules.visits import read_live

SECRETS = ("key", "secret")
SHOWN, SHOWN_HISTORY = 50, 10
MOST_CHOICES = 200


class GatewayForm(TestedForm, RuleForm):
    class Meta:
        model = Gateway
        fields = [
            "name", "organization", "site", "vendor", "url", "key", "secret", "ca_certificate",
            "fingerprint", "approval", "maintenance",
        ]  # fmt: skip
        widgets = {
            name: UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
            for name in SECRETS
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields.pop(UNTESTED, None)
        for name in SECRETS:
            if name in self.fields and not self.instance._state.adding:
                self.initial[name] = ""
                self.fields[name].required = False
                self.fields[name].help_text = gettext(
                    "Stored. Leave it empty to keep what is stored."
                )

    def rule_values(self) -> dict[str, Any]:
        values = super().rule_values()
        values.pop(UNTESTED, None)
        return {name: v for name, v in values.items() if v or name not in SECRETS}

    def _get_validation_exclusions(self) -> Any:
        # Empty keeps the stored credentials; the model's field is required.
        return {*super()._get_validation_exclusions(), *SECRETS}  # type: ignore[misc]


@admin.register(Gateway)
class GatewayAdmin(LiveView, TestsConnection, RuleAdmin):
    empty_hint = _(
        "Changes of a vendor gateway are staged and reviewed before they are applied. Add its address and API key."
    )
    search_rank = 2
    search_icon = "router"
    change_form_template = "admin/networks/gateway/change_form.html"
    resource = "gateway"
    form = GatewayForm
    create_rule = rules.create_gateway
    update_rule = rules.update_gateway
    delete_rule = rules.delete_gateway
    list_display = [
        "name",
        "organization",
        "site",
        "vendor",
        "url",
        "status",
        "version",
        "seen",
    ]
    list_filter = [
        ("organization", ScopedRelatedFilter), ("vendor", ChoicesDropdownFilter),
    ]  # fmt: skip
    list_select_related = ["organization", "site"]
    search_fields = ["name", "url"]
    ordering = ["name"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields: list[Any] = [
            ("name", "vendor"), ("organization", "site"), "url", ("key", "secret"),
            "ca_certificate", "fingerprint", ("approval", "maintenance"),
        ]  # fmt: skip
        return fields if obj else [*fields, UNTESTED]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["organization"] if obj else []

    @display(description=_("Status"))
    def status(self, obj: Gateway) -> str:
        if obj.trouble:
            return badge(gettext("Problem"), "bad", obj.trouble)
        if obj.caution:
            return badge(gettext("Read only"), "warn", obj.caution)
        return (
            badge(gettext("Online"), "good")
            if obj.last_seen
            else badge(gettext("Never seen"), "mute")
        )

    @display(description=_("Last seen"), ordering="last_seen")
    def seen(self, obj: Gateway) -> str:
        return relative_time(obj.last_seen) if obj.last_seen else "-"

    def get_urls(self) -> list[Any]:
        view, name = self.admin_site.admin_view, "networks_gateway"
        return [
            path("<uuid:pk>/drawer/", view(self.drawer), name=f"{name}_drawer"),
            path("<uuid:pk>/stage/", view(self.stage), name=f"{name}_stage"),
            path("<uuid:pk>/set/", view(require_POST(self.make_set)), name=f"{name}_set"),
            path(
                "<uuid:pk>/back-up/", view(require_POST(self.back_up)), name=f"{name}_back_up"
            ),
            path("<uuid:pk>/look/", view(require_POST(self.look)), name=f"{name}_look"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        gateway = kw.get("obj")
        if gateway is not None:
            context |= self.page_of(request, gateway)
        return super().render_change_form(request, context, *args, **kw)

    def page_of(self, request: HttpRequest, gateway: Gateway) -> dict[str, Any]:
        mine = Change.objects.visible_to(request.user, transitions.READ).filter(gateway=gateway)
        rows = mine.filter(state__in=[*Change.WAITING, *Change.OPEN])
        return {
            "gateway": gateway,
            "status": self.status(gateway),
            "seen": self.seen(gateway),
            "areas": choices(request.user, gateway),
            "drawer": drawer_of(rows.select_related("author")[:SHOWN]),
            "every": f"{admin_url(Change, 'changelist')}?gateway__id__exact={gateway.pk}",
            "history": gateway.statuses.all()[:SHOWN_HISTORY],
            "may_look": self.may(request, "update", gateway),
            "backups": latest_of(gateway),
            "every_backup": f"{admin_url(GatewayBackup, 'changelist')}?gateway__id__exact={gateway.pk}",
        }

    def drawer(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Render the pending changes, for polling."""
        gateway = self.row_for(request, str(pk), "read")
        return render(request, "portal/drawer.html", self.page_of(request, gateway))

    def look(self, request: HttpRequest, pk: Any) -> HttpResponse:
        gateway = self.row_for(request, str(pk), "update")
        try:
            rules.look(gateway)
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(Gateway, "change", gateway.pk))

    def back_up(self, request: HttpRequest, pk: Any) -> HttpResponse:
        gateway, user = self.row_for(request, str(pk), "update"), request.user
        try:
            backups.request_backup(gateway, by=user)  # type: ignore[arg-type]
            self.message_user(
                request, gettext("A backup is being taken; it is stored in a moment.")
            )
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(Gateway, "change", gateway.pk))

    def stage(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Show a form generated from the schema of the selected feature."""
        gateway = self.row_for(request, str(pk), "read")
        user: Any = request.user
        back = admin_url(Gateway, "change", gateway.pk)
        try:
            feature, operation = chosen(gateway, request.GET.get("what", ""))
            changes.may_write(user, gateway, feature)
        except (Refused, NotPermitted) as error:
            self.message_user(request, str(error), "error")
            return HttpResponseRedirect(back)
        form = StageForm(
            request.POST or None, feature=feature, operation=operation,
            held=None if operation == "create" else held_by(gateway, feature),
        )  # fmt: skip
        row = form.kept(
            lambda given: changes.stage(
                gateway, feature=feature, operation=operation, by=user, **given
            )
        )
        if row is not None:
            return HttpResponseRedirect(admin_url(Change, "change", row.pk))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("%(phrase)s on %(gateway)s")
            % {"phrase": shown_phrase(feature, operation), "gateway": gateway},
            "told": " ".join(
                (
                    translated(feature.sentence),
                    gettext(
                        "This only stages the change; nothing is written to the gateway yet."
                    ),
                )
            ).strip(),
            "form": form,
            "button": gettext("Stage change"),
            "back": back,
        }
        return render(request, "admin/pki/ask.html", context)

    def make_set(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Create a change set of the selected changes, in the order of staging."""
        gateway = self.row_for(request, str(pk), "read")
        user: Any = request.user
        rows = Change.objects.visible_to(user, transitions.READ).filter(
            gateway=gateway, pk__in=request.POST.getlist("change")
        )
        parts = list(rows.select_related("gateway__organization").order_by("created"))
        goes_back = ChangeSet.OnFailure.ROLL_BACK if "goes_back" in request.POST else "stop"
        name = request.POST.get("name") or gettext("Changes of %(gateway)s") % {
            "gateway": gateway
        }
        try:
            row = change_sets.create_set(parts, by=user, name=name[:100], on_failure=goes_back)
        except Refused as error:
            self.message_user(request, str(error), "error")
            return HttpResponseRedirect(admin_url(Gateway, "change", gateway.pk))
        return HttpResponseRedirect(admin_url(ChangeSet, "change", row.pk))


def held_by(gateway: Gateway, feature: Feature) -> list[dict[str, Any]] | None:
    """Return the gateway's objects of the feature, or None if it cannot be read."""
    try:
        return read_live(gateway, feature, most=MOST_CHOICES)
    except Refused:
        return None
