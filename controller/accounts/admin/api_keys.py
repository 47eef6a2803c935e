"""Admin of API keys and sessions; users see their own."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import ApiKey, Session
from controller.accounts.rules import api_keys, sessions
from controller.base.admin import (
    RuleAdmin,
    RuleForm,
    UnfoldAdminTextInputWidget,
    admin_url,
    badge,
    display,
)

DAYS = [(0, _("Never")), (30, _("In 30 days")), (90, _("In 90 days")), (365, _("In a year"))]


class KeyForm(RuleForm):
    scopes = forms.CharField(
        required=False,
        help_text=_(
            "Permissions, separated by spaces, such as device:read config:*. "
            "Leave empty for all of your permissions."
        ),
        widget=UnfoldAdminTextInputWidget,
    )
    expires_in_days = forms.TypedChoiceField(label=_("Expires"), choices=DAYS, coerce=int)
    user: Any = None

    class Meta:
        model = ApiKey
        fields = ["name", "description"]

    def apply_rule(self) -> ApiKey:
        values = self.cleaned_data
        key, self.secret = api_keys.create_key(
            self.user,
            name=values["name"],
            description=values["description"],
            scopes=values["scopes"].replace(",", " ").split(),
            expires_in_days=values["expires_in_days"] or None,
        )
        return key


class Own(RuleAdmin):
    """Admin of the user's own rows; superusers see all rows and can delete them."""

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        user: Any = request.user
        return bool(user.is_authenticated and user.is_active and verb != "update")


@admin.register(ApiKey)
class ApiKeyAdmin(Own):
    empty_hint = _("An API key has some of your permissions: choose the ones it needs.")
    resource = "key"
    form = KeyForm
    delete_rule = api_keys.delete_key
    list_display = ["name", "key_prefix", "user", "narrowed", "expires_at", "last_used"]
    list_select_related = ["user"]
    search_fields = ["name", "prefix", "user__username"]
    fields = ["name", "description", "scopes", "expires_in_days"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is None:
            return list(self.fields)
        return [
            "name",
            "description",
            "key_prefix",
            "user",
            "narrowed",
            "expires_at",
            "last_used",
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self.get_fields(request, obj) if obj else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        obj.plain_secret = form.secret

    def response_add(
        self, request: HttpRequest, obj: Any, *args: Any, **kw: Any
    ) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": gettext("New API key"),
            "opts": self.opts,
            "token": obj.plain_secret,
            "name": obj.name,
            "header": "X-API-Key: …",
            "back": admin_url(ApiKey, "changelist"),
        }
        response = TemplateResponse(request, "admin/accounts/apitoken/made.html", context)
        response["Cache-Control"] = "no-store"
        response.is_done = True  # type: ignore[attr-defined]
        return response

    @display(description=_("Key"), ordering="prefix")
    def key_prefix(self, obj: ApiKey) -> str:
        return f"{obj.prefix}…"

    @display(description=_("Permissions"))
    def narrowed(self, obj: ApiKey) -> str:
        return ", ".join(obj.scopes) or gettext("All of the owner")


@admin.register(Session)
class SessionAdmin(Own):
    empty_hint = _("Programs that sign in over the API appear here.")
    resource = "session"
    list_display = ["user", "state", "address", "user_agent", "created", "last_seen"]
    list_select_related = ["user"]
    search_fields = ["user__username", "address", "user_agent"]
    fields = ["user", "state", "address", "user_agent", "created", "last_seen", "expires"]

    @staticmethod
    def delete_rule(row: Session) -> None:
        sessions.revoke(row, because="ended in the admin")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return list(self.fields)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("State"))
    def state(self, obj: Session) -> str:
        if obj.revoked is not None:
            return badge(gettext("Ended"), "mute", obj.revoked_because)
        return (
            badge(gettext("Open"), "good")
            if obj.expires > timezone.now()
            else badge(gettext("Over"), "mute")
        )
