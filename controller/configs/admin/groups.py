"""Admin of device groups."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.admin.versions import Versioned
from controller.base.admin import RuleAdmin, ScopedRelatedFilter, display
from controller.base.forms import RuleForm, VariablesWidget
from controller.configs.admin.fields import TemplatesField
from controller.configs.models import Template
from controller.configs.rules import groups
from controller.devices.models import DeviceGroup


class GroupForm(RuleForm):
    templates = TemplatesField(
        queryset=Template.objects.none(),
        required=False,
        help_text=_("Devices get these templates, in this order, when they join the group."),
    )

    class Meta:
        model = DeviceGroup
        fields = ["name", "organization", "description", "context", "meta_data"]
        widgets = {"context": VariablesWidget, "meta_data": VariablesWidget}

    user: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Template.objects.visible_to(self.user)
        self.fields["templates"].queryset = rows  # type: ignore[attr-defined]
        self.fields["templates"].widget.choices = rows
        if self.instance.pk and not self.instance._state.adding:
            uses = self.instance.template_uses.select_related("template")
            self.initial["templates"] = [use.template for use in uses]

    def clean_context(self) -> Any:
        return self.cleaned_data["context"] or {}

    def clean_meta_data(self) -> Any:
        return self.cleaned_data["meta_data"] or {}


@admin.register(DeviceGroup)
class DeviceGroupAdmin(Versioned, RuleAdmin):
    empty_hint = _("A group gives its devices the same templates and variables.")
    search_rank = 8
    search_icon = "workspaces"
    change_form_after_template = "portal/part_charts.html"
    resource = "group"
    form = GroupForm
    create_rule = groups.create_group
    update_rule = groups.update_group
    delete_rule = groups.delete_group
    list_display = ["name", "organization", "devices", "modified"]
    list_filter = [("organization", ScopedRelatedFilter)]
    list_select_related = ["organization"]
    search_fields = ["name", "description"]
    actions_detail = ["show_versions"]
    actions_list = ["show_deleted"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            # Variables may contain keys and passwords.
            return [(None, {"fields": [("name", "organization"), "description"]})]
        return [
            (None, {"fields": [("name", "organization"), "description"]}),
            (gettext("Templates"), {"fields": ["templates"]}),
            (gettext("Variables of its devices"), {"fields": ["context"]}),
            (gettext("More details"), {"fields": ["meta_data"], "classes": ["collapse"]}),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(device_count=Count("devices"))

    @display(description=_("Devices"), ordering="device_count")
    def devices(self, obj: Any) -> int:
        return int(obj.device_count)

    def deletion_effects(self, obj: DeviceGroup) -> list[str]:
        count = obj.devices.count()
        return (
            [
                gettext(
                    "%(count)s devices stay, without the templates and variables of the group."
                )
                % {"count": count}
            ]
            if count
            else []
        )
