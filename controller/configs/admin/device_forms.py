"""Form of a device, including its configuration."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import SecretWidget, UnfoldAdminSelectWidget
from controller.base.forms import RuleForm, VariablesWidget
from controller.configs.admin.fields import ConfigWidget, TemplatesField
from controller.configs.models import Backend, Config, Template
from controller.configs.rules.devices import create_device, update_device
from controller.devices.models import Device

PREFIX = "config_"
CONFIG_FIELDS = [f"{PREFIX}{name}" for name in ("backend", "templates", "context", "config")]
NO_CONFIG = [("", _("Not managed: inventory only")), *Backend.choices]


class DeviceForm(RuleForm):
    config_backend = forms.ChoiceField(
        label=_("Backend"), choices=NO_CONFIG, required=False,
        widget=UnfoldAdminSelectWidget(attrs={"aria-label": _("Backend")}),
        help_text=_("Format of the device's configuration files."),
    )  # fmt: skip
    config_templates = TemplatesField(
        label=_("Templates"), queryset=Template.objects.none(), required=False
    )
    config_context = forms.JSONField(
        label=_("Variables"), required=False, widget=VariablesWidget
    )
    config_config = forms.JSONField(
        label=_("Configuration"), required=False, widget=ConfigWidget
    )

    class Meta:
        model = Device
        fields = [
            "name", "organization", "mac_address", "group", "management_ip", "kind",
            "hardware_id", "model", "os", "system", "key", "notes",
        ]  # fmt: skip
        widgets = {
            "key": SecretWidget,
        }

    user: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.saved = self._saved()
        if "config_templates" in self.fields:
            rows = Template.objects.visible_to(self.user)
            self.fields["config_templates"].queryset = rows  # type: ignore[attr-defined]
            self.fields["config_templates"].widget.choices = rows
        if self.saved is not None:
            self._start_with(self.saved)

    def _saved(self) -> Config | None:
        if self.instance._state.adding:
            return None
        return Config.objects.filter(device=self.instance).first()

    def _start_with(self, config: Config) -> None:
        uses = config.uses.select_related("template")
        values = {
            "config_backend": config.backend,
            "config_templates": [use.template for use in uses],
            "config_context": config.context,
            "config_config": config.config,
        }
        self.initial.update(values)
        if "config_backend" in self.fields:
            self.fields["config_backend"].choices = Backend.choices  # type: ignore[attr-defined]

    def clean_hardware_id(self) -> str | None:
        return self.cleaned_data["hardware_id"] or None

    def clean_config_context(self) -> Any:
        return self._object("config_context")

    def clean_config_config(self) -> Any:
        return self._object("config_config")

    def _object(self, name: str) -> dict[str, Any]:
        value = self.cleaned_data.get(name) or {}
        if not isinstance(value, dict):
            raise forms.ValidationError(
                gettext('A JSON object is expected, as in {"name": "value"}.')
            )
        return value

    def apply_rule(self) -> Device:
        values = self.rule_values()
        config = {name.removeprefix(PREFIX): values.pop(name, None) for name in CONFIG_FIELDS}
        if self.instance._state.adding:
            backend = config["backend"]
            return create_device(config={"backend": backend} if backend else None, **values)
        changed = {name: value for name, value in values.items() if name in self.changed_data}
        changes = self._config_changes(config)
        return update_device(self.row(), config=changes or None, **changed)

    def _config_changes(self, config: dict[str, Any]) -> dict[str, Any]:
        if not config["backend"]:
            return {}
        return {name: config[name] for name in config if f"{PREFIX}{name}" in self.changed_data}
