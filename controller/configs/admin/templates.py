"""Admin of templates: editor, live preview, number of affected devices."""

import hashlib
import json
from functools import cache
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.accounts.admin.versions import Versioned
from controller.base import masking
from controller.base.admin import (
    RuleAdmin,
    RuleForm,
    ScopedRelatedFilter,
    UnfoldAdminTextInputWidget,
    admin_url,
    badge,
    display,
)
from controller.base.errors import Refused
from controller.base.forms import VariablesWidget
from controller.configs.admin import preview
from controller.configs.admin.assign_template import Assignable
from controller.configs.admin.fields import ConfigWidget
from controller.configs.engine.backends import schema
from controller.configs.models import Backend, Rollout, Template
from controller.configs.rules import templates as rules
from controller.configs.rules.rollouts import create_draft
from controller.devices.models import Device

SCHEMA_SECONDS = 3600
SAMPLES = 50
# Name of the button that saves a change as a rollout.
IN_WAVES = "_in_waves"
STAGED = ("config", "default_values")


class TemplateForm(RuleForm):
    tags = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_(
            "Tags, separated by commas. Devices that register with one of the tags get the template."
        ),
    )

    class Meta:
        model = Template
        fields = [
            "name", "organization", "type", "vpn", "auto_cert", "backend", "default", "required",
            "tags",
            "default_values", "config", "notes",
        ]  # fmt: skip
        widgets = {"config": ConfigWidget, "default_values": VariablesWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["tags"] = ", ".join(self.instance.tags or [])

    def apply_rule(self) -> Any:
        if self.instance._state.adding or IN_WAVES not in self.data:
            return super().apply_rule()
        row = self.row()
        changes = {
            name: value
            for name, value in self.rule_values().items()
            if getattr(row, name) != value
        }
        wanted = {name: changes.pop(name) for name in STAGED if name in changes}
        if changes:
            names = ", ".join(sorted(changes)).replace("_", " ")
            raise Refused(
                gettext(
                    "Only the configuration and its default values go out in waves. Save this by "
                    "itself first: %(names)s."
                )
                % {"names": names}
            )
        row.proposed = create_draft(row, **wanted)
        return row

    def clean_tags(self) -> list[str]:
        words = self.cleaned_data["tags"].split(",")
        return list(dict.fromkeys(word.strip() for word in words if word.strip()))

    def clean_config(self) -> Any:
        return self.cleaned_data["config"] or {}


@admin.register(Template)
class TemplateAdmin(Assignable, Versioned, RuleAdmin):
    empty_hint = _(
        "A template is a part of a configuration that many devices share. Start with one for all: time zone, DNS, NTP."
    )
    search_rank = 7
    search_icon = "description"
    resource = "template"
    form = TemplateForm
    create_rule = rules.create_template
    update_rule = rules.update_template
    delete_rule = rules.delete_template
    list_display = ["name", "owner", "backend_name", "role", "used", "modified"]
    list_filter = [("organization", ScopedRelatedFilter), "backend", "required", "default"]
    list_select_related = ["organization"]
    search_fields = ["name", "tags"]
    ordering = ["name"]
    actions = ["clone"]
    actions_detail = ["assign", "show_versions"]
    actions_list = ["show_deleted"]
    actions_submit_line = ["save_and_assign"]
    change_form_template = "admin/configs/template/change_form.html"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        general = [
            "name", "organization", "type", "vpn", "auto_cert", "backend", "default", "required",
        ]  # fmt: skip
        if obj is not None and not self.has_change_permission(request, obj):
            return [(None, {"fields": [*general, "notes", "content"]})]
        return [
            (None, {"fields": [*general, "tags"]}),
            # Displayed in boxes of their own.
            (gettext("Contents"), {"fields": ["config", "default_values", "notes"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["content"] if obj and not self.has_change_permission(request, obj) else []

    @display(description=_("Configuration"))
    def content(self, obj: Template) -> str:
        """Return the configuration without secrets, for read-only users."""
        text = json.dumps(masking.masked(obj.config), indent=2, ensure_ascii=False)
        return format_html('<pre class="file">{}</pre>', text)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "config":
            kwargs["widget"] = ConfigWidget
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(device_count=Count("uses"))

    @display(description=_("Organization"), ordering="organization__name")
    def owner(self, obj: Template) -> str:
        return str(obj.organization) if obj.organization else badge(gettext("Shared"), "busy")

    @display(description=_("Backend"), ordering="backend")
    def backend_name(self, obj: Template) -> str:
        return obj.get_backend_display()

    @display(description=_("Role"), ordering="-required")
    def role(self, obj: Template) -> str:
        if obj.required:
            return badge(gettext("Required"), "warn")
        return badge(gettext("By default"), "good") if obj.default else "-"

    @display(description=_("Devices"), ordering="device_count")
    def used(self, obj: Any) -> int:
        return int(obj.device_count)

    @admin.action(description=_("Clone selected templates"), permissions=["clone"])
    def clone(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        rows = list(queryset)
        if not all(self.may(request, "create", row) for row in rows):
            raise PermissionDenied
        made = ", ".join(rules.clone_template(row).name for row in rows)
        self.message_user(request, gettext("Made: %(made)s.") % {"made": made})

    def has_clone_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "create")

    def deletion_effects(self, obj: Template) -> list[str]:
        count = rules.affected_configs(obj)
        return (
            [
                gettext("It is taken off %(count)s devices; they are configured without it.")
                % {"count": count}
            ]
            if count
            else []
        )

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        template: Template | None = kw.get("obj")
        context["affected"] = rules.affected_configs(template) if template else 0
        context["samples"] = self.samples(request, template)
        context["shows_preview"] = template is None or self.has_change_permission(
            request, template
        )
        return super().render_change_form(request, context, *args, **kw)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if rollout := getattr(obj, "proposed", None):
            self.message_user(request, gettext("This is a draft: nothing has changed yet."))
            return HttpResponseRedirect(admin_url(Rollout, "change", rollout.pk))
        return super().response_change(request, obj)

    def samples(self, request: HttpRequest, template: Template | None) -> list[Device]:
        """Return devices for previews, starting with those that use the template."""
        rows = Device.objects.visible_to(request.user).order_by("name").only("name")
        using = list(rows.filter(config__uses__template=template)[:SAMPLES]) if template else []
        others = rows.exclude(pk__in=[one.pk for one in using])[: SAMPLES - len(using)]
        return [*using, *others]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("preview/", view(require_POST(self.preview)), name="configs_template_preview"),
            path("schema/<str:backend>.json", view(self.schema), name="configs_schema"),
            *super().get_urls(),
        ]

    def preview(self, request: HttpRequest) -> JsonResponse:
        user: Any = request.user
        if not (self.may(request, "create") or self.may(request, "update")):
            raise PermissionDenied
        try:
            sent = preview.read(request)
            device = self.sample(user, sent.get("device"))
            return preview.of_template(sent, device, user)
        except (preview.BadRequest, forms.ValidationError) as error:
            text = error.messages[0] if isinstance(error, forms.ValidationError) else str(error)
            return JsonResponse({"error": text, "files": []})

    def sample(self, user: Any, pk: Any) -> Device | None:
        """Return the device named for a preview, or None; raise BadRequest if not permitted."""
        if not pk:
            return None
        rows = Device.objects.visible_to(user).select_related(
            "group", "organization__device_settings"
        )
        device = rows.filter(pk=str(pk)).first()
        if device is None or not user.has_perm_on("device:secret", device):
            raise preview.BadRequest(gettext("You may not see the variables of this device."))
        return device

    def schema(self, request: HttpRequest, backend: str) -> HttpResponse:
        if backend not in Backend.values:
            raise Http404
        body, tag = schema_text(backend)
        if request.headers.get("If-None-Match") == tag:
            return HttpResponse(status=304)
        return HttpResponse(
            body,
            content_type="application/json",
            headers={"ETag": tag, "Cache-Control": f"private, max-age={SCHEMA_SECONDS}"},
        )


@cache
def schema_text(backend: str) -> tuple[bytes, str]:
    """Return the JSON schema of a backend, and its entity tag."""
    body = json.dumps(schema(backend), separators=(",", ":")).encode()
    return body, f'"{hashlib.sha256(body).hexdigest()[:16]}"'
