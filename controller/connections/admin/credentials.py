"""Admin of credentials; stored secrets can be replaced, never displayed."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import (
    RuleAdmin,
    RuleForm,
    ScopedRelatedFilter,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    badge,
    display,
)
from controller.connections import rules
from controller.connections.models import Credentials
from controller.connections.rules import credential_params

KEEP = _("Stored. Leave it empty to keep what is stored.")
SSH, SNMP = Credentials.Connector.SSH, Credentials.Connector.SNMP
COMMON = ("username", "port")
OF_SSH = ("password", "key", "passphrase")
OF_SNMP = (
    "version", "community", "auth_protocol", "auth_password", "privacy_protocol",
    "privacy_password", "context",
)  # fmt: skip
FIELDS = {SSH: (*COMMON, *OF_SSH), SNMP: (*COMMON, *OF_SNMP)}
PAIRS = (("auth_protocol", "auth_password"), ("privacy_protocol", "privacy_password"))
PORTS = {SSH: credential_params.SSH_PORT, SNMP: credential_params.SNMP_PORT}


def secret_field(help_text: Any = "", label: Any = None) -> forms.CharField:
    return forms.CharField(
        label=label, required=False, strip=False, help_text=help_text,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip


def choice_field(values: Sequence[str], label: Any, none: str = "") -> forms.ChoiceField:
    choices = ([("", none)] if none else []) + [(one, one) for one in values]
    return forms.ChoiceField(
        label=label, required=False, choices=choices, widget=UnfoldAdminSelectWidget
    )


class CredentialsForm(RuleForm):
    username = forms.CharField(
        max_length=256, required=False, widget=UnfoldAdminTextInputWidget,
        help_text=_("User on the device (SSH) or of its SNMP agent (version 3)."),
    )  # fmt: skip
    port = forms.IntegerField(
        min_value=1, max_value=65535, required=False, widget=UnfoldAdminTextInputWidget,
        help_text=_("Leave empty for the default: 22 for SSH, 161 for SNMP."),
    )  # fmt: skip
    password = secret_field()
    key = forms.CharField(
        label=_("Private key"),
        required=False,
        help_text=_(
            "OpenSSH or PEM format. The portal tries the key first, then the password."
        ),
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 4, "spellcheck": "false", "class": "mono"}
        ),
    )
    passphrase = secret_field(_("Passphrase of the private key, if it has one."))
    version = choice_field(credential_params.SNMP_VERSIONS, _("SNMP version"))
    community = secret_field(_("Of version 2c. It is readable on its way: prefer version 3."))
    auth_protocol = choice_field(credential_params.AUTH_PROTOCOLS, _("Authentication"), "none")
    auth_password = secret_field(label=_("Authentication password"))
    privacy_protocol = choice_field(credential_params.PRIVACY_PROTOCOLS, _("Privacy"), "none")
    privacy_password = secret_field(label=_("Privacy password"))
    context = forms.CharField(
        max_length=32, required=False, widget=UnfoldAdminTextInputWidget,
        help_text=_("Only for SNMP version 3, if the agent has several contexts."),
    )  # fmt: skip

    class Meta:
        model = Credentials
        fields = ["name", "organization", "connector", "auto_add"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_new = self.instance._state.adding
        wanted = {*OF_SSH, *OF_SNMP, *COMMON} if is_new else FIELDS.get(self.kind, ())
        for name in (*COMMON, *OF_SSH, *OF_SNMP):
            if name not in wanted:
                del self.fields[name]
        connector: Any = self.fields.get("connector")
        if connector is not None:
            # Some kinds are only kept for programs; the kind of stored credentials stays.
            kinds = FIELDS if is_new else {self.instance.connector}
            connector.disabled = not is_new
            connector.choices = [one for one in connector.choices if one[0] in kinds]
        stored = {} if is_new else self.instance.params or {}
        for name in wanted:
            if name not in credential_params.SECRETS:
                self.initial[name] = stored.get(name, "")
            elif stored.get(name):
                self.fields[name].help_text = KEEP

    @property
    def kind(self) -> Any:
        """The kind of these credentials: that of the row, or of what is sent for a new one."""
        if self.instance._state.adding and self.is_bound:
            return self.data.get(self.add_prefix("connector"), SSH)
        return self.instance.connector

    def clean_key(self) -> str:
        text: str = self.cleaned_data["key"]
        # Browsers send line ends that OpenSSH does not accept.
        return text.replace("\r\n", "\n").strip() + "\n" if text.strip() else ""

    def rule_values(self) -> dict[str, Any]:
        values = super().rule_values()
        given = {
            name: values.pop(name)
            for name in (*COMMON, *OF_SSH, *OF_SNMP)
            if name in self.fields
        }
        wanted = FIELDS.get(self.kind)
        if wanted is None:
            return values
        params = {name: given[name] for name in wanted if given.get(name)}
        return values | {"params": {"port": PORTS[self.kind]} | params}

    def apply_rule(self) -> Any:
        values = self.rule_values()
        if self.instance._state.adding:
            return rules.create_credentials(**values)
        if not {*COMMON, *OF_SSH, *OF_SNMP} & set(self.changed_data):
            values.pop("params", None)
        return rules.update_credentials(self.row(), **values)


@admin.register(Credentials)
class CredentialsAdmin(RuleAdmin):
    empty_hint = _(
        "The portal uses credentials to reach devices over SSH and to measure them over SNMP."
    )
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
        sections = {
            SSH: (gettext("SSH"), {"fields": [COMMON, *OF_SSH]}),
            SNMP: (
                gettext("SNMP"),
                {"fields": [COMMON, ("version", "community"), *PAIRS, "context"]},
            ),
        }
        if obj is None:
            # One user name and port for both kinds; the kind says which of the rest counts.
            return [
                (None, {"fields": [*general, COMMON]}),
                (gettext("SSH"), {"fields": list(OF_SSH)}),
                (gettext("SNMP"), {"fields": [("version", "community"), *PAIRS, "context"]}),
            ]
        known = sections.get(obj.connector)
        if known is None or not self.has_change_permission(request, obj):
            return [(None, {"fields": general})]
        return [(None, {"fields": general}), known]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(use_count=Count("connections"))

    @display(description=_("Organization"), ordering="organization__name")
    def owner(self, obj: Credentials) -> str:
        return str(obj.organization) if obj.organization else badge(gettext("Shared"), "busy")

    @display(description=_("Kind"), ordering="connector")
    def connector_name(self, obj: Credentials) -> str:
        return obj.get_connector_display()

    @display(description=_("Added to every device"), ordering="auto_add")
    def automatic(self, obj: Credentials) -> str:
        return badge(gettext("Yes"), "good") if obj.auto_add else "-"

    @display(description=_("Devices"), ordering="use_count")
    def used(self, obj: Any) -> int:
        return int(obj.use_count)
