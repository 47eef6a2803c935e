"""What organizations demand of upgrades, and the keys that they trust."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import Organization, OrganizationOwned, Shareable
from controller.base.models import Base
from controller.firmware.engine.matching import IF_PRESENT, IGNORE, REQUIRED
from controller.firmware.engine.signatures import read_public_key


class FirmwarePolicy(OrganizationOwned, Base):
    """Conditions of an organization for upgrades of its devices."""

    class Signatures(models.TextChoices):
        IGNORE = IGNORE, _("Not required")
        IF_PRESENT = IF_PRESENT, _("Valid where there is one")
        REQUIRED = REQUIRED, _("Required")

    class Backup(models.TextChoices):
        OFF = "off", _("None")
        TRY = "try", _("Before each flash, where it is possible")
        REQUIRED = "required", _("Before each flash; without one nothing is flashed")

    organization = models.OneToOneField(
        Organization, models.CASCADE, related_name="firmware_policy"
    )
    signatures = models.CharField(
        max_length=12, choices=Signatures, default=Signatures.IGNORE,
        help_text=_("Signatures of images by trusted keys."),
    )  # fmt: skip
    needs_approval = models.BooleanField(
        _("second person"), default=False,
        help_text=_("Somebody else than the author approves a rollout or an upgrade before it "
        "starts."),
    )  # fmt: skip
    may_stop_services = models.BooleanField(
        default=False,
        help_text=_("Upgrades may be told to stop services of devices with little memory."),
    )  # fmt: skip
    backup = models.CharField(
        _("configuration backup"), max_length=8, choices=Backup, default=Backup.TRY,
        help_text=_("The newest three of each device are kept, encrypted."),
    )  # fmt: skip
    watch_minutes = models.PositiveSmallIntegerField(
        default=5, validators=[MaxValueValidator(24 * 60)],
        help_text=_("For how long an upgraded device must be online, and as well as before, until "
        "the next wave follows."),
    )  # fmt: skip

    class Meta:
        verbose_name_plural = _("firmware policies")
        ordering = ["organization__name"]

    def __str__(self) -> str:
        return gettext("Firmware of %(name)s") % {"name": self.organization}


def valid_key(text: str) -> None:
    try:
        read_public_key(text)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class TrustedKey(Shareable, Base):
    """Public key whose signatures of images are trusted."""

    name = models.CharField(max_length=64)
    public_key = models.TextField(
        max_length=500, validators=[valid_key],
        help_text=_("The usign public key: its file, or the base64 line of it."),
    )  # fmt: skip

    class Meta:
        verbose_name = _("firmware key")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
