"""Admin of webhooks and deliveries."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import (
    RuleAdmin,
    RuleForm,
    ScopedAdmin,
    ScopedRelatedFilter,
    SecretWidget,
    action,
    badge,
    display,
)
from controller.base.errors import Refused
from controller.notifications.models import KIND_CHOICES, Delivery, Webhook
from controller.notifications.rules import webhooks

TONES = {"waiting": "busy", "done": "good", "failed": "bad"}


class WebhookForm(RuleForm):
    kinds = forms.MultipleChoiceField(
        choices=KIND_CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Leave empty for all."),
    )

    class Meta:
        model = Webhook
        fields = ["organization", "name", "url", "kinds", "is_active", "secret"]
        widgets = {"secret": SecretWidget}


@admin.register(Webhook)
class WebhookAdmin(RuleAdmin):
    empty_hint = _("A webhook reports events to a program. Add its https:// address.")
    resource = "webhook"
    form = WebhookForm
    create_rule = webhooks.create_webhook
    update_rule = webhooks.update_webhook
    delete_rule = webhooks.delete_webhook
    list_display = ["name", "organization", "shown_state", "last_success"]
    list_filter = [("organization", ScopedRelatedFilter)]
    list_select_related = ["organization"]
    search_fields = ["name"]
    fields = ["organization", "name", "url", "kinds", "is_active", "secret", "trouble"]
    readonly_fields = ["trouble"]
    actions_submit_line = ["save_and_test"]

    @display(description=_("State"))
    def shown_state(self, obj: Webhook) -> str:
        if not obj.is_active:
            return badge(gettext("Off"), "faint", obj.trouble)
        return (
            badge(gettext("Failing"), "bad", obj.trouble)
            if obj.failures
            else badge(gettext("On"), "good")
        )

    @action(description=_("Save and send a test"))
    def save_and_test(self, request: HttpRequest, obj: Webhook) -> HttpResponse | None:
        try:
            self.message_user(request, webhooks.test(obj))
        except Refused as error:
            self.message_user(
                request, gettext("Saved, but: %(error)s") % {"error": error}, messages.WARNING
            )
        return None


@admin.register(Delivery)
class DeliveryAdmin(ScopedAdmin):
    empty_hint = _("Nothing has been sent to a webhook yet.")
    resource = "webhook"
    list_display = ["notice", "webhook", "shown_state", "attempts", "answer", "created"]
    list_display_links = None
    list_filter = ["state", ("webhook", ScopedRelatedFilter)]
    list_select_related = ["notice", "webhook"]
    ordering = ["-created"]
    actions = ["retry"]

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        return verb in {"read", "update"} and super().may(request, verb, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deny editing: deliveries are records, which can only be retried."""
        return obj is None and self.may(request, "update")

    @display(description=_("State"))
    def shown_state(self, obj: Delivery) -> str:
        return badge(obj.get_state_display(), TONES[obj.state])

    @action(description=_("Send again"), permissions=["change"])
    def retry(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            webhooks.retry(row)
        self.message_user(request, gettext("They are sent in a moment."))
