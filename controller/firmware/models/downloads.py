"""One-time addresses from which devices download their images."""

from django.db import models

from controller.accounts.models import OrganizationScoped
from controller.firmware.models.upgrades import Upgrade


class ImageDownload(OrganizationScoped):
    """Permission of one upgrade to download its image; only a digest of it is stored."""

    is_audited = False
    organization_path = "upgrade__device__organization"

    upgrade = models.OneToOneField(
        Upgrade, models.CASCADE, primary_key=True, related_name="download"
    )
    digest = models.CharField(max_length=64, unique=True)
    expires = models.DateTimeField(db_index=True)
    starts = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"Download of {self.upgrade}"
