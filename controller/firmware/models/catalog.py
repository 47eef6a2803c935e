"""Catalog of firmware: categories, builds and their images."""

from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped, Shareable, User
from controller.base.models import Base, Dated
from controller.firmware.engine.matching import ImageFacts
from controller.firmware.engine.metadata import FIRST_COMPAT
from controller.firmware.engine.signatures import Verdict
from controller.firmware.engine.versions import numbers

FOLDER = "firmware"


class Category(Shareable, Base):
    """Line of firmware, such as all images for access points of one organization."""

    name = models.CharField(max_length=64)
    description = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = _("categories")
        ordering = ["-name", "-created"]
        constraints = [
            models.UniqueConstraint(
                fields=["name", "organization"], name="firmware_category_unique",
                violation_error_message=_("A category with this name exists already."),
            ),
            models.UniqueConstraint(
                fields=["name"], name="shared_firmware_category_unique",
                condition=models.Q(organization=None),
                violation_error_message=_("A shared category with this name exists already."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class Build(OrganizationScoped, Base):
    """Version of a category, with one image per type of device."""

    organization_path = "category__organization"
    is_shareable: ClassVar[bool] = True

    category = models.ForeignKey(Category, models.CASCADE, related_name="builds")
    version = models.CharField(max_length=32)
    os = models.CharField(  # noqa: DJ001 - clients send null
        _("OS identifier"), max_length=64, null=True, blank=True,
        help_text=_("Operating system that devices report with this build."),
    )  # fmt: skip
    changelog = models.TextField(blank=True)
    is_step = models.BooleanField(
        _("must not be skipped"), default=False,
        help_text=_("Devices with an older version install this build before any newer one."),
    )  # fmt: skip

    class Meta:
        ordering = ["-created", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["category", "version"], name="firmware_build_unique",
                violation_error_message=_("The category has a build of this version already."),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.category} {self.version}"


class Image(OrganizationScoped, Base):
    """Image file, and what was read from it. Never changes."""

    organization_path = "build__category__organization"
    is_shareable: ClassVar[bool] = True

    class Signature(models.TextChoices):
        NONE = Verdict.NONE.value, _("Not signed")
        VALID = Verdict.VALID.value, _("Valid")
        UNKNOWN_KEY = Verdict.UNKNOWN_KEY.value, _("Signed with an unknown key")
        BROKEN = Verdict.BROKEN.value, _("Not valid")

    build = models.ForeignKey(Build, models.CASCADE, related_name="images")
    name = models.CharField(_("file name"), max_length=180)
    type = models.CharField(
        max_length=128, help_text=_("File name without distribution and version.")
    )
    size = models.PositiveBigIntegerField(help_text=_("Bytes"))
    sha256 = models.CharField(_("SHA-256"), max_length=64, db_index=True)
    has_metadata = models.BooleanField()
    compat_version = models.CharField(max_length=9, default=FIRST_COMPAT)
    compat_message = models.TextField(blank=True)
    version = models.CharField(max_length=128, blank=True)
    revision = models.CharField(max_length=128, blank=True)
    target = models.CharField(max_length=128, blank=True)
    signature = models.CharField(
        max_length=12, choices=Signature.choices, default=Signature.NONE
    )
    flash_limit = models.PositiveBigIntegerField(
        null=True, blank=True, help_text=_("Bytes of flash for the image, if known.")
    )

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(
                fields=["build", "type"], name="firmware_type_unique",
                violation_error_message=_("Firmware image with this Build and Type already exists."),
            ),
            models.UniqueConstraint(
                fields=["build", "sha256"], name="firmware_file_unique",
                violation_error_message=_("The build has an image with the same content already."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.build}: {self.type}"

    @property
    def path(self) -> Path:
        return Path(settings.MEDIA_ROOT) / FOLDER / self.sha256

    @property
    def facts(self) -> ImageFacts:
        """Return what decides about matching; reads the boards."""
        names = frozenset(board.name for board in self.boards.all())
        return ImageFacts(
            size=self.size,
            boards=names if self.has_metadata else frozenset(),
            confirmed_boards=frozenset() if self.has_metadata else names,
            target=self.target,
            version=self.version,
            compat_version=self.compat_version,
            signature=self.signature,
            flash_limit=self.flash_limit,
            steps=self.steps(names) if self.version else (),
        )

    def steps(self, boards: frozenset[str]) -> tuple[str, ...]:
        """Return the versions of the category that devices of these boards may not skip."""
        rows = Image.objects.filter(
            build__category=self.build.category_id, build__is_step=True, boards__name__in=boards
        ).exclude(build=self.build_id)
        found = {version for version in rows.values_list("version", flat=True) if version}
        return tuple(sorted(found, key=lambda one: numbers(one) or ()))


class ImageBoard(OrganizationScoped, Dated):
    """Board that an image is for: by its metadata, or confirmed by a person."""

    organization_path = "image__build__category__organization"
    is_shareable: ClassVar[bool] = True

    image = models.ForeignKey(Image, models.CASCADE, related_name="boards")
    name = models.CharField(max_length=128, db_index=True)
    confirmed_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", editable=False
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["image", "name"], name="firmware_board_once")
        ]

    def __str__(self) -> str:
        return self.name
