"""Form of a device that is reached over SSH."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import Organization, Site
from controller.base.admin import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)
from controller.base.errors import Refused
from controller.configs.models import Backend, Template
from controller.configs.rules.device_onboarding import SshLogin
from controller.connections.drivers.contract import Address, Login
from controller.connections.models import Credentials
from controller.connections.rules import checked_params
from controller.connections.rules.connection_test import usable_login
from controller.devices.models import DeviceGroup

ADD = "device:create"
SSH_PORT = 22
PLACE = (
    "organization", "name", "mac_address", "group", "site", "templates", "example",
)  # fmt: skip
NEEDS_LOGIN = _("Choose credentials, or enter a user name with a password or a private key.")


def text_field(label: Any, *, required: bool = False, **more: Any) -> forms.CharField:
    return forms.CharField(
        label=label, required=required, widget=UnfoldAdminTextInputWidget, **more
    )


def secret_field(label: Any, **more: Any) -> forms.CharField:
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    return forms.CharField(label=label, required=False, strip=False, widget=widget, **more)


class OwnedChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Select of rows that names their organization if the user sees several."""

    names_owner = False

    def label_from_instance(self, row: Any) -> str:
        owner = row.organization if self.names_owner else None
        return f"{row} ({owner})" if owner else str(row)


class OwnedChoices(OwnedChoice, forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    pass


class SshDeviceForm(forms.Form):
    """Address, login and first templates of a device that is reached over SSH."""

    address = forms.GenericIPAddressField(label=_("Address"), widget=UnfoldAdminTextInputWidget)
    port = forms.IntegerField(
        label=_("Port"), min_value=1, max_value=65535, initial=SSH_PORT,
        widget=UnfoldAdminTextInputWidget,
    )  # fmt: skip
    credentials = OwnedChoice(
        Credentials.objects.none(), required=False, widget=UnfoldAdminSelectWidget,
        empty_label=_("New user name and secret"),
    )  # fmt: skip
    username = text_field(_("User name"), max_length=256)
    password = secret_field(_("Password"))
    key = forms.CharField(
        label=_("Private key"), required=False,
        help_text=_("The whole file, in OpenSSH or PEM format."),
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 3, "spellcheck": "false", "class": "mono"}
        ),
    )  # fmt: skip
    passphrase = secret_field(_("Passphrase of the key"))
    organization = forms.ModelChoiceField(
        Organization.objects.none(), widget=UnfoldAdminSelectWidget
    )
    name = text_field(
        _("Name"), max_length=64, help_text=_("Leave empty to use the device's host name.")
    )
    mac_address = text_field(
        _("MAC address"), max_length=17, help_text=_("Leave empty to read it from the device.")
    )
    group = OwnedChoice(
        DeviceGroup.objects.none(), required=False, widget=UnfoldAdminSelectWidget,
        empty_label=_("None"),
    )  # fmt: skip
    site = OwnedChoice(
        Site.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label=_("None"),
    )
    templates = OwnedChoices(
        Template.objects.none(), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    example = forms.BooleanField(
        label=_("Apply an example: a welcome message in /etc/motd"), required=False
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        organizations = Organization.objects.filter(
            pk__in=[
                one.pk for one in Organization.objects.visible_to(user)
                if user.has_perm_in(ADD, one.pk)
            ]
        )  # fmt: skip
        rows: dict[str, QuerySet[Any]] = {
            "organization": organizations,
            "credentials": Credentials.objects.visible_to(user).filter(
                connector=Credentials.Connector.SSH
            ),
            "group": DeviceGroup.objects.visible_to(user),
            "site": Site.objects.visible_to(user),
            "templates": Template.objects.visible_to(user).filter(
                backend=Backend.OPENWRT, required=False, default=False
            ),
        }
        several = organizations.count() > 1
        for name, found in rows.items():
            field: Any = self.fields[name]
            field.queryset = (
                found if name == "organization" else found.select_related("organization")
            )
            field.names_owner = several
            if name not in {"organization", "credentials"} and not found.exists():
                del self.fields[name]
        if not several:
            self.fields["organization"].initial = organizations.first()
            self.fields["organization"].widget = forms.HiddenInput()
        if "templates" in self.fields:
            del self.fields["example"]
        if (stored := list(rows["credentials"][:2])) and len(stored) == 1:
            self.fields["credentials"].initial = stored[0]

    def place_fields(self) -> list[forms.BoundField]:
        """Return the fields of the device itself, in the order of the page."""
        return [self[name] for name in PLACE if name in self.fields]

    def clean_key(self) -> str:
        text: str = self.cleaned_data["key"]
        return text.replace("\r\n", "\n").strip() + "\n" if text.strip() else ""

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if values.get("username"):
            values["credentials"] = None
        elif not values.get("credentials"):
            self.add_error("username", NEEDS_LOGIN)
        return values

    def login(self) -> tuple[Login, SshLogin]:
        """Return what is offered to the device, and what is stored."""
        values = self.cleaned_data
        if credentials := values["credentials"]:
            login = usable_login(credentials, by=self.user, organization=values["organization"])
            return login, SshLogin(credentials)
        names = ("password", "key", "passphrase")
        params = {"username": values["username"], "port": values["port"]}
        params |= {name: values[name] for name in names if values[name]}
        params = checked_params(params)
        login = Login(
            params["username"],
            params.get("password"),
            params.get("key"),
            params.get("passphrase"),
        )
        return login, SshLogin(params=params)

    def target(self) -> Address:
        return Address(self.cleaned_data["address"], self.cleaned_data["port"])

    def device_values(self) -> dict[str, Any]:
        names = ("organization", "name", "mac_address", "group", "site")
        values = {name: self.cleaned_data.get(name) for name in names}
        return values | {"management_ip": self.cleaned_data["address"]}

    def refuse(self, error: Refused) -> None:
        """Show the errors of a rule at their fields."""
        renamed = {"params": "password", "management_ip": "address"}
        for field, sentences in error.by_field.items():
            name = renamed.get(field, field)
            self.add_error(name if name in self.fields else None, sentences)
