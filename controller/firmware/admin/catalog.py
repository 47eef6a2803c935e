"""Admin of categories, builds and images: uploads, and what was read from them."""

import csv
import io
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import path
from django.utils.http import content_disposition_header
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.base.admin import (
    ChoicesDropdownFilter,
    RuleAdmin,
    RuleForm,
    ScopedRelatedFilter,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextInputWidget,
    admin_url,
    badge,
    display,
    stacked_bar,
)
from controller.base.errors import Refused
from controller.base.tables import as_text
from controller.devices.models import Device
from controller.firmware.admin.device_tab import device_urls
from controller.firmware.engine.options import Options
from controller.firmware.models import Build, Category, FirmwareRollout, Image, ImageRequest
from controller.firmware.rules import board_confirmations, catalog, custom_images, image_uploads
from controller.firmware.rules.image_matching import (
    Match,
    Matcher,
    match_devices,
    summarize,
    with_systems,
)

TONES: dict[str, str] = {
    Image.Signature.NONE: "mute",
    Image.Signature.VALID: "good",
    Image.Signature.UNKNOWN_KEY: "warn",
    Image.Signature.BROKEN: "bad",
}
NO_ROLE = _("Your role in the organization of this firmware does not permit this.")
MOST_SHOWN = 100
MOST_MATCHED = 10_000


def size(image: Image) -> str:
    return filesizeformat(image.size)


def signature(image: Image) -> str:
    return badge(image.get_signature_display(), TONES[image.signature])


@admin.register(Category)
class CategoryAdmin(RuleAdmin):
    empty_hint = _(
        "A category is a line of firmware, such as all images for your access points."
    )
    resource = "firmware"
    create_rule = catalog.create_category
    update_rule = catalog.update_category
    delete_rule = catalog.delete_category
    fields = ["organization", "name", "description"]
    list_display = ["name", "owner", "builds"]
    list_filter = [("organization", ScopedRelatedFilter)]
    list_select_related = ["organization"]
    search_fields = ["name"]
    search_rank, search_icon = 14, "system_update"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(build_count=Count("builds"))

    @display(description=_("Organization"), ordering="organization__name")
    def owner(self, obj: Category) -> str:
        return str(obj.organization) if obj.organization else badge(gettext("Shared"), "busy")

    @display(description=_("Builds"))
    def builds(self, obj: Any) -> str:
        return str(obj.build_count)

    def deletion_effects(self, obj: Category) -> list[str]:
        return [
            gettext("%(count)s builds with their images are deleted as well.")
            % {"count": obj.builds.count()}
        ]


class BuildForm(RuleForm):
    class Meta:
        model = Build
        fields = ["category", "version", "os", "changelog", "is_step"]

    def clean_category(self) -> Category:
        category: Category = self.cleaned_data["category"]
        if not type(self).may_in(category.organization_id):
            raise forms.ValidationError(NO_ROLE)
        return category


@admin.register(Build)
class BuildAdmin(RuleAdmin):
    empty_hint = _("A build is a version of a category, with an image for each type of device.")
    resource = "firmware"
    form = BuildForm
    create_rule = catalog.create_build
    update_rule = catalog.update_build
    delete_rule = catalog.delete_build
    list_display = ["name", "version", "os", "images", "created"]
    list_filter = [("category", ScopedRelatedFilter)]
    list_select_related = ["category"]
    search_fields = ["version", "os", "category__name"]
    change_form_template = "admin/firmware/build/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("category")
        return rows.annotate(image_count=Count("images"))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.matches)
        return [
            path("<uuid:pk>/matches/", view, name="firmware_build_matches"),
            *super().get_urls(),
        ]

    def matches(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """List the devices that a build fits or not, as a page or as CSV."""
        build = self.row_for(request, str(pk), "read")
        wanted = request.GET.get("reason", "")
        devices = devices_for(request, build.category.organization_id)
        found = match_devices(build, devices, Options())
        rows = [
            one
            for one in found
            if not wanted or wanted == (one.reasons[0].code if one.reasons else "fits")
        ]
        if "csv" in request.GET:
            return matches_csv(build, rows)
        shown = [
            {
                "device": one.device,
                "link": admin_url(Device, "change", one.device.pk),
                "board": one.device.firmware_system.board,
                "image": one.image,
                "reasons": " ".join(why.text for why in one.reasons),
            }
            for one in rows[:MOST_SHOWN]
        ]
        context = {
            **self.admin_site.each_context(request), "title": gettext("Devices for %(build)s") % {"build": build},
            "opts": self.opts, "build": build, "rows": shown, "count": len(rows),
            "most_shown": MOST_SHOWN, "csv": f"?reason={wanted}&csv",
            "back": admin_url(Build, "change", build.pk),
        }  # fmt: skip
        return render(request, "admin/firmware/build/matches.html", context)

    @display(description=_("Category"), ordering="category__name")
    def name(self, obj: Build) -> str:
        return obj.category.name

    @display(description=_("Images"))
    def images(self, obj: Any) -> str:
        return str(obj.image_count)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        build = kw.get("obj")
        if build is not None:
            rows = build.images.prefetch_related("boards")
            found = summarize(build, devices_for(request, build.category.organization_id))
            context |= {
                "build": build,
                "summary": found,
                "matches_link": admin_url(Build, "matches", build.pk),
                "card": stacked_bar(
                    [
                        {
                            "label": label,
                            "count": count,
                            "tone": tone,
                            "link": admin_url(Build, "matches", build.pk) + f"?reason={code}",
                        }
                        for code, label, count, tone in [
                            ("fits", gettext("Ready"), found.fitting, "good"),
                            *((*one, "warn") for one in found.by_reason),
                        ]
                    ]
                ),
                "images": [
                    {
                        "row": row,
                        "link": admin_url(Image, "change", row.pk),
                        "size": size(row),
                        "signature": signature(row),
                        "devices": found.by_image.get(row.pk, 0),
                    }
                    for row in rows
                ],
                "upload_link": f"{admin_url(Image, 'add')}?build={build.pk}",
                "custom_link": custom_images.is_offered()
                and f"{admin_url(ImageRequest, 'add')}?build={build.pk}",
                "rollout_link": f"{admin_url(FirmwareRollout, 'add')}?build={build.pk}",
                "may_upload": self.may(request, "create", build),
                "may_upgrade": self.may(request, "upgrade", build),
            }
        return super().render_change_form(request, context, *args, **kw)


def matches_csv(build: Build, rows: list[Match]) -> HttpResponse:
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(["device", "board", "image", "reasons"])
    for one in rows:
        board = one.device.firmware_system.board
        reasons = " ".join(why.text for why in one.reasons)
        cells = [one.device.name, board, one.image.type if one.image else "", reasons]
        writer.writerow([as_text(cell) for cell in cells])
    name = content_disposition_header(as_attachment=True, filename=f"{build}.csv") or ""
    return HttpResponse(
        lines.getvalue(), content_type="text/csv", headers={"Content-Disposition": name}
    )


def devices_for(request: HttpRequest, owner: Any) -> QuerySet[Device]:
    """Return the devices with firmware that the user may see and a build may be for."""
    rows = Device.objects.visible_to(request.user).filter(
        is_deactivated=False, firmware_system__isnull=False
    )
    rows = rows.filter(organization=owner) if owner else rows
    return with_systems(rows.order_by("name"))[:MOST_MATCHED]


class ImageForm(RuleForm):
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text=_("The sysupgrade image, as it was built."),
    )
    kind = forms.CharField(
        label=_("type"), required=False, max_length=128, widget=UnfoldAdminTextInputWidget,
        help_text=_("Leave empty to use the file name."),
    )  # fmt: skip

    class Meta:
        model = Image
        fields = ["build"]

    def clean_build(self) -> Build:
        build: Build = self.cleaned_data["build"]
        if not type(self).may_in(build.owner_id):
            raise forms.ValidationError(NO_ROLE)
        return build


def upload(*, build: Build, file: Any, kind: str) -> Image:
    return image_uploads.add_image(build, name=file.name, parts=file.chunks(), kind=kind)


@admin.register(Image)
class ImageAdmin(RuleAdmin):
    empty_hint = _("Upload images to a build. The portal reads their boards from them.")
    resource = "firmware"
    form = ImageForm
    create_rule = upload
    delete_rule = catalog.delete_image
    list_display = ["type", "build", "version", "size_shown", "signature_shown", "created"]
    list_filter = [("build", ScopedRelatedFilter), ("signature", ChoicesDropdownFilter)]
    list_select_related = ["build__category"]
    search_fields = ["type", "name", "sha256", "boards__name"]
    change_form_template = "admin/firmware/image/change_form.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and self.may(request, "update", obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj else ["build", "file", "kind"]

    @display(description=_("Size"), ordering="size")
    def size_shown(self, obj: Image) -> str:
        return size(obj)

    @display(description=_("Signature"), ordering="signature")
    def signature_shown(self, obj: Image) -> str:
        return signature(obj)

    def get_urls(self) -> list[Any]:
        confirm = self.admin_site.admin_view(require_POST(self.confirm))
        name = "firmware_image_confirm"
        return [
            path("<uuid:pk>/confirm/", confirm, name=name),
            *device_urls(self.admin_site.admin_view),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        image = kw.get("obj")
        if image is not None:
            context |= {
                "image": image,
                "size": size(image),
                "signature": signature(image),
                "boards": image.boards.select_related("confirmed_by"),
                "matches": self.matches(request, image),
                "may_confirm": not image.has_metadata and self.may(request, "update", image),
                "most_shown": MOST_SHOWN,
            }
        return super().render_change_form(request, context, *args, **kw)

    def matches(self, request: HttpRequest, image: Image) -> list[dict[str, Any]]:
        """Return devices with their reasons; those that the image fits come first."""
        devices = devices_for(request, image.build.category.organization_id)
        matcher = Matcher([image], Options())
        found = [matcher.match(device, image.pk) for device in devices]
        found.sort(key=lambda one: not one.fits)
        return [
            {
                "device": one.device,
                "link": admin_url(Device, "change", one.device.pk),
                "fits": badge(gettext("Fits"), "good")
                if one.fits
                else badge(gettext("Does not fit"), "mute"),
                "reasons": " ".join(why.text for why in one.reasons),
            }
            for one in found[:MOST_SHOWN]
        ]

    def confirm(self, request: HttpRequest, pk: Any) -> HttpResponse:
        image = self.row_for(request, str(pk), "update")
        board = request.POST.get("board", "").strip()
        try:
            board_confirmations.confirm_board(image, board=board, user=request.user)  # type: ignore[arg-type]
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(Image, "change", image.pk))
