"""Admin of credentials; stored secrets can be replaced, never displayed."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from controller.base.admin import (
    RuleAdmin,
    RuleForm,
    ScopedRelatedFilter,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    badge,
    display,
)
from controller.connections import rules
from controller.connections.models import Credentials

SSH_PORT = 22
KEEP = "Stored. Leave it empty to keep what is stored."


OF_SSH = ("username", "port", "password", "key", "passphrase")


class CredentialsForm(RuleForm):
    username = forms.CharField(max_length=256, widget=UnfoldAdminTextInputWidget)
    port = forms.IntegerField(
        min_value=1, max_value=65535, initial=SSH_PORT, widget=UnfoldAdminTextInputWidget
    )
    password = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    key = forms.CharField(
        label="Private key",
        required=False,
        help_text="In OpenSSH or PEM form. With a key, the password is its alternative.",
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 4, "spellcheck": "false", "class": "mono"}
        ),
    )
    passphrase = forms.CharField(
        required=False,
        strip=False,
        help_text="Of the private key, if it has one.",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = Credentials
        fields = ["name", "organization", "connector", "auto_add"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_only_kept:
            for name in OF_SSH:
                del self.fields[name]
        connector: Any = self.fields.get("connector")
        if connector is not None:
            # The other kinds are only kept for programs.
            connector.disabled = self.is_only_kept
            connector.choices = [
                one for one in connector.choices if one[0] == self.instance.connector
            ]
        if self.is_only_kept:
            return
        stored = {} if self.instance._state.adding else self.instance.params or {}
        self.initial["username"] = stored.get("username", "")
        self.initial["port"] = stored.get("port", SSH_PORT)
        for name in OF_SSH:
            if name in rules.SECRETS and stored.get(name):
                self.fields[name].help_text = KEEP

    @property
    def is_only_kept(self) -> bool:
        """Whether these are credentials that programs stored, and the portal cannot use."""
        return self.instance.connector != Credentials.Connector.SSH

    def clean_key(self) -> str:
        text: str = self.cleaned_data["key"]
        # Browsers send line ends that OpenSSH does not accept.
        return text.replace("\r\n", "\n").strip() + "\n" if text.strip() else ""

    def rule_values(self) -> dict[str, Any]:
        values = super().rule_values()
        if self.is_only_kept:
            return values
        params = {"username": values.pop("username"), "port": values.pop("port")}
        secrets = {name: values.pop(name) for name in OF_SSH if name in rules.SECRETS}
        return values | {"params": params | {k: v for k, v in secrets.items() if v}}

    def apply_rule(self) -> Any:
        values = self.rule_values()
        if self.instance._state.adding:
            return rules.create_credentials(**values)
        if not set(OF_SSH) & set(self.changed_data):
            values.pop("params", None)
        return rules.update_credentials(self.row(), **values)


@admin.register(Credentials)
class CredentialsAdmin(RuleAdmin):
    empty_hint = "With a user name and a key or password, the portal reaches devices over SSH."
    search_rank = 16
    search_icon = "key"
    resource = "connection"
    form = CredentialsForm
    create_rule = rules.create_credentials
    update_rule = rules.update_credentials
    delete_rule = rules.delete_credentials
    list_display = ["name", "owner", "connector_name", "automatic", "used"]
    list_filter = [("organization", ScopedRelatedFilter), "auto_add"]
    list_select_related = ["organization"]
    search_fields = ["name"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        general = ["name", "organization", ("connector", "auto_add")]
        kept = obj is not None and obj.connector != Credentials.Connector.SSH
        if kept or (obj is not None and not self.has_change_permission(request, obj)):
            return [(None, {"fields": general})]
        return [
            (None, {"fields": general}),
            (
                "Sign in on devices with",
                {"fields": [("username", "port"), "password", "key", "passphrase"]},
            ),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(use_count=Count("connections"))

    @display(description="Organization", ordering="organization__name")
    def owner(self, obj: Credentials) -> str:
        return str(obj.organization) if obj.organization else badge("Shared", "busy")

    @display(description="Kind", ordering="connector")
    def connector_name(self, obj: Credentials) -> str:
        return obj.get_connector_display()

    @display(description="Added to every device", ordering="auto_add")
    def automatic(self, obj: Credentials) -> str:
        return badge("Yes", "good") if obj.auto_add else "-"

    @display(description="Devices", ordering="use_count")
    def used(self, obj: Any) -> int:
        return int(obj.use_count)
