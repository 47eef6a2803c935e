"""Admin page for moving a device to another organization, with a preview."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import Organization
from controller.base.admin import UnfoldAdminSelectWidget, action, admin_url
from controller.base.errors import Refused
from controller.configs.rules import organization_transfer as rules
from controller.devices.models import Device, DeviceGroup
from geo.rules.device_locations import drop_foreign_places

PARTS = [
    ("kept", _("Stays with it")), ("added", _("Comes with the new organization")),
    ("dropped", _("Is left behind")), ("revoked", _("Is revoked")),
    ("undefined", _("Variables that nothing would define then")),
]  # fmt: skip


class MoveForm(forms.Form):
    organization = forms.ModelChoiceField(
        Organization.objects.none(), widget=UnfoldAdminSelectWidget
    )
    group = forms.ModelChoiceField(
        DeviceGroup.objects.none(), required=False, widget=UnfoldAdminSelectWidget,
        help_text=_("A group of the new organization. Leave empty for none."),
    )  # fmt: skip

    def __init__(self, *args: Any, device: Device, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = [
            pk
            for pk in Organization.objects.visible_to(user).values_list("pk", flat=True)
            if pk != device.organization_id and user.has_perm_in("device:create", pk, None)
        ]
        targets = Organization.objects.filter(pk__in=mine)
        groups = DeviceGroup.objects.filter(organization__in=mine).select_related(
            "organization"
        )
        self.fields["organization"].queryset = targets  # type: ignore[attr-defined]
        self.fields["group"].queryset = groups  # type: ignore[attr-defined]
        self.fields["group"].label_from_instance = (  # type: ignore[attr-defined]
            lambda group: f"{group} ({group.organization})"
        )


class Movable:
    """Mixin for the device admin that adds the ``move`` button."""

    admin_site: Any
    opts: Any
    row_for: Any
    message_user: Any
    get_object: Any
    may: Any

    def has_move_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if object_id is None:
            return bool(self.may(request, "update"))
        row = self.get_object(request, str(object_id))
        user: Any = request.user
        elsewhere = Organization.objects.visible_to(user)[:2].count() > 1
        return elsewhere and bool(
            row and not row.is_deactivated and self.may(request, "update", row)
        )

    @action(description=_("Move …"), icon="move_item", permissions=["move"])
    def move(self, request: HttpRequest, object_id: str) -> HttpResponse:
        device: Device = self.row_for(request, object_id, "update")
        if not self.has_move_permission(request, object_id):
            raise PermissionDenied
        form = MoveForm(request.POST or None, device=device, user=request.user)
        context: dict[str, Any] = self.admin_site.each_context(request) | {
            "title": gettext("Move %(device)s to another organization")
            % {"device": device.name},
            "opts": self.opts,
            "form": form,
            "back": admin_url(Device, "change", device.pk),
        }
        if form.is_valid():
            if "confirmed" in request.POST:
                return self.moved(request, device, form.cleaned_data)
            found = rules.plan_transfer(device, **form.cleaned_data)
            context |= {
                "plan": found,
                "parts": [
                    {"label": label, "items_shown": getattr(found, name)}
                    for name, label in PARTS
                ],
            }
        return TemplateResponse(request, "admin/devices/device/move.html", context)

    def moved(
        self, request: HttpRequest, device: Device, where: dict[str, Any]
    ) -> HttpResponse:
        try:
            with transaction.atomic():
                drop_foreign_places(rules.transfer(device, **where))
            self.message_user(
                request,
                gettext("%(device)s belongs to %(where)s now.")
                % {"device": device, "where": where["organization"]},
            )
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(Device, "change", device.pk))
