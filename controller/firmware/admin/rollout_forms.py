"""Forms of firmware rollouts: of a build, and of packages of Debian hosts."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import Organization
from controller.configs.admin.waves import LABELS, WaveForm
from controller.firmware.engine.options import CHOICES
from controller.firmware.models import Build, FirmwareRollout

BUILD_FIELDS: list[Any] = [
    "build", ("group", "location"), "upgrade_all", "flags", "waves", ("pause", "allowed"),
    "is_persistent", "window",
]  # fmt: skip
PACKAGE_FIELDS: list[Any] = [
    "organization", "packages", ("group", "location"), "may_restart", "waves",
    ("pause", "allowed"), "is_persistent", "window",
]  # fmt: skip


class AuthoredForm(WaveForm):
    """Form that stores the author in its row."""

    user: Any = None  # set by the admin

    def rule_values(self) -> dict[str, Any]:
        return super().rule_values() | {"author": self.user}


class RolloutForm(AuthoredForm):
    flags = forms.MultipleChoiceField(
        label=_("Options"), required=False, choices=[(name, _(text)) for name, text in CHOICES.items()],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Choose none to keep the settings that the device keeps by default."),
    )  # fmt: skip

    class Meta:
        model = FirmwareRollout
        fields = [
            "build", "group", "location", "upgrade_all", "waves", "pause", "allowed",
            "is_persistent", "window",
        ]  # fmt: skip
        labels = LABELS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "build" in self.fields:
            self.fields["build"].required = True

    def clean_build(self) -> Build:
        build: Build = self.cleaned_data["build"]
        if not type(self).may_in(build.owner_id):
            raise forms.ValidationError(gettext("Your role there does not permit upgrades."))
        return build

    def rule_values(self) -> dict[str, Any]:
        values = super().rule_values()
        return values | {"options": dict.fromkeys(values.pop("flags"), True)}


class PackageRolloutForm(AuthoredForm):
    class Meta:
        model = FirmwareRollout
        fields = [
            "organization", "packages", "group", "location", "may_restart", "waves", "pause",
            "allowed", "is_persistent", "window",
        ]  # fmt: skip
        labels = LABELS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("organization", "packages"):
            if name in self.fields:
                self.fields[name].required = True

    def clean_organization(self) -> Organization:
        owner: Organization = self.cleaned_data["organization"]
        if not type(self).may_in(owner.pk):
            raise forms.ValidationError(gettext("Your role there does not permit upgrades."))
        return owner
