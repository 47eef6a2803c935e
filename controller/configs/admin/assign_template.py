"""Assignment of a template to devices, from the template's page."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import RuleAdmin, action, admin_url
from controller.base.errors import Refused
from controller.configs.models import DeviceBatch, Template
from controller.configs.rules import bulk_operations
from controller.devices.models import Device

KIND = DeviceBatch.Kind.ADD_TEMPLATE
SHOWN = 200
NEXT = "configs_template_save_and_assign"


class Assignable(RuleAdmin):
    """Template admin with a page that chooses the devices of a template."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.assign_view)
        return [
            path("<uuid:pk>/assign/", view, name="configs_template_assign"),
            *super().get_urls(),
        ]

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:  # fmt: skip
        more = dict(extra_context or {})
        if not object_id:
            # unfold leaves these buttons out of forms that add.
            more["actions_submit_line"] = self.get_actions_submit_line(request, 0)
        return super().changeform_view(request, object_id, form_url, more)

    def has_assign_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        user: Any = request.user
        return bool(user.has_perm_anywhere("config:update"))

    @action(description=_("Assign to devices"), icon="router", permissions=["assign"])
    def assign(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:configs_template_assign", args=[object_id]))

    @action(description=_("Save and assign to devices"), permissions=["assign"])
    def save_and_assign(self, request: HttpRequest, obj: Any) -> None:
        """Do nothing more: the response leads to the page of the devices."""

    def response_add(
        self, request: HttpRequest, obj: Any, *args: Any, **kw: Any
    ) -> HttpResponse:
        if NEXT in request.POST:
            return self.assign(request, str(obj.pk))
        return super().response_add(request, obj, *args, **kw)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if NEXT in request.POST:
            return self.assign(request, str(obj.pk))
        return super().response_change(request, obj)

    def assign_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Choose devices; the draft that follows shows what changes before anything does."""
        template = self.row_for(request, str(pk), "read")
        user: Any = request.user
        if not self.has_assign_permission(request):
            raise PermissionDenied
        devices = assignable(user, template)
        if request.method == "POST":
            chosen = devices.filter(pk__in=valid_ids(devices, request.POST.getlist("device")))
            try:
                batch = bulk_operations.create_draft(user, KIND, chosen)
                bulk_operations.set_target(batch, template)
                return HttpResponseRedirect(admin_url(DeviceBatch, "change", batch.pk))
            except Refused as error:
                self.message_user(request, str(error), "error")
        term = request.GET.get("q", "").strip()
        found = devices.filter(name__icontains=term) if term else devices
        context = self.admin_site.each_context(request) | {
            "title": gettext("Assign %(template)s") % {"template": template}, "crumb": gettext("Assign to devices"), "opts": self.opts,
            "original": template,
            "rows": found[:SHOWN], "count": found.count(), "shown": SHOWN, "term": term,
            "back": admin_url(Template, "change", template.pk),
        }  # fmt: skip
        return TemplateResponse(request, "admin/configs/template/assign.html", context)


def assignable(user: Any, template: Template) -> QuerySet[Device]:
    """Return the devices that can get this template and lack it, by name."""
    rows = Device.objects.visible_to(user, "config:update").filter(
        is_deactivated=False, config__backend=template.backend
    )
    if template.organization_id is not None:
        rows = rows.filter(organization=template.organization_id)
    found: QuerySet[Device] = (
        rows.exclude(config__uses__template=template)
        .select_related("organization", "group")
        .only("name", "mac_address", "organization__name", "group__name")
        .order_by("name")
    )
    return found


def valid_ids(devices: QuerySet[Device], sent: list[str]) -> list[Any]:
    known = {str(pk): pk for pk in devices.values_list("pk", flat=True)}
    return [known[one] for one in sent if one in known]
