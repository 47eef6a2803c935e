"""Device settings of an organization: shared secret, limit, registration."""

from typing import Any

from django.utils.translation import gettext

from controller.accounts.models import Organization
from controller.base.errors import Refused
from controller.base.secrets import digest
from controller.devices.engine.identity import random_key
from controller.devices.models import (
    Device,
    OrganizationSettings,
)


def settings_of(organization: Organization) -> OrganizationSettings:
    """Return the organization's device settings, creating them on first use."""
    found, _ = OrganizationSettings.objects.get_or_create(organization=organization)
    return found


def settings_by_secret(shared_secret: str) -> OrganizationSettings | None:
    """Return the settings of the active organization with this secret, or None."""
    return (
        OrganizationSettings.objects.select_related("organization")
        .filter(shared_secret_digest=digest(shared_secret), organization__is_active=True)
        .first()
    )


def update_settings(settings: OrganizationSettings, **values: Any) -> OrganizationSettings:
    limit = values.get("device_limit", settings.device_limit)
    if limit and limit != settings.device_limit:
        count = Device.objects.filter(organization=settings.organization_id).count()
        if limit < count:
            raise Refused(
                {
                    "device_limit": [
                        gettext("%(organization)s has %(count)s devices already.")
                        % {"organization": settings.organization, "count": count}
                    ]
                }
            )
    for name, value in values.items():
        setattr(settings, name, value)
    settings.shared_secret_digest = digest(settings.shared_secret)
    settings.checked().save()
    return settings


def rotate_shared_secret(settings: OrganizationSettings) -> OrganizationSettings:
    """Create a new registration secret; registered devices keep their keys."""
    return update_settings(settings, shared_secret=random_key())
