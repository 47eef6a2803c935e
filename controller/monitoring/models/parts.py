"""Parts of organizations whose devices are added up: sites, groups and locations."""

from typing import ClassVar

from django.db import models

from controller.accounts.models import Organization, OrganizationOwned, Site
from controller.devices.models import DeviceGroup
from geo.models import Location

# Numbers of samples below this one are those of parts.
FIRST = 10**12


class MonitoredPart(OrganizationOwned):
    """A site, group or location whose devices are added up, so that its charts read none of them."""

    is_audited: ClassVar[bool] = False

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    site = models.OneToOneField(Site, models.CASCADE, null=True, related_name="monitoring")
    group = models.OneToOneField(
        DeviceGroup, models.CASCADE, null=True, related_name="monitoring"
    )
    location = models.OneToOneField(
        Location, models.CASCADE, null=True, related_name="monitoring"
    )
    layout = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"Totals of {self.site or self.group or self.location}"

    @property
    def number(self) -> int:
        """The number of its samples: below those of organizations."""
        return -FIRST - int(self.pk)
