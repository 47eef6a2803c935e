"""Admin of custom images that a sysupgrade server is asked for."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import (
    ChoicesDropdownFilter,
    RuleAdmin,
    RuleForm,
    ScopedRelatedFilter,
    UnfoldAdminTextareaWidget,
    admin_url,
    badge,
    display,
)
from controller.devices.admin.badges import relative_time
from controller.firmware.models import Build, Image, ImageRequest
from controller.firmware.rules import custom_images

State = ImageRequest.State
TONES: dict[str, str] = {
    State.ASKED: "busy", State.BUILDING: "busy", State.DONE: "good", State.FAILED: "bad",
}  # fmt: skip


class ImageRequestForm(RuleForm):
    packages = forms.CharField(
        label=_("packages"), required=False, max_length=20_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text=_("Names of packages. Leave empty for those that the device has."),
    )  # fmt: skip

    class Meta:
        model = ImageRequest
        fields = ["build", "device"]

    def clean_build(self) -> Build:
        build: Build = self.cleaned_data["build"]
        if not type(self).may_in(build.owner_id):
            raise forms.ValidationError(
                gettext("Your role in the organization of this firmware does not permit this.")
            )
        return build

    def clean_packages(self) -> list[str]:
        return str(self.cleaned_data["packages"]).replace(",", " ").split()

    def rule_values(self) -> dict[str, Any]:
        return super().rule_values() | {"author": self.user}

    user: Any = None  # set by the admin


@admin.register(ImageRequest)
class ImageRequestAdmin(RuleAdmin):
    empty_hint = _("A sysupgrade server builds images with the packages that a device has.")
    resource = "firmware"
    form = ImageRequestForm
    create_rule = custom_images.request_image
    list_display = ["board", "build", "version", "status", "reason", "made", "changed"]
    list_filter = [("build", ScopedRelatedFilter), ("state", ChoicesDropdownFilter)]
    list_select_related = ["build__category", "image"]
    search_fields = ["board", "version"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("build__category", "image")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["build", "device", "packages"]
        return ["build", "device", "board", "version", "target", "state", "reason", "wanted"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj) if obj else []

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return custom_images.is_offered() and self.may(request, "create")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and self.may(request, "update")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("State"), ordering="state")
    def status(self, obj: ImageRequest) -> str:
        return badge(obj.get_state_display(), TONES[obj.state], obj.reason)

    @display(description=_("Packages"))
    def wanted(self, obj: ImageRequest) -> str:
        return ", ".join(obj.packages) or "-"

    @display(description=_("Image"))
    def made(self, obj: ImageRequest) -> str:
        if obj.image is None:
            return "-"
        link = admin_url(Image, "change", obj.image_id)
        return format_html('<a class="link" href="{}">{}</a>', link, obj.image.type)

    @display(description=_("Changed"), ordering="modified")
    def changed(self, obj: ImageRequest) -> str:
        return relative_time(obj.modified)
