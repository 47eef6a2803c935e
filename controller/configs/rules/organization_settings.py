"""Device settings of an organization, whose variables its configurations use."""

from typing import Any

from django.db import transaction

from controller.configs.models import (
    Config,
)
from controller.configs.rules.rendering import mark_stale
from controller.devices import rules as devices
from controller.devices.models import OrganizationSettings


@transaction.atomic
def update_settings(row: OrganizationSettings, **values: Any) -> OrganizationSettings:
    """Update an organization's device settings; its devices are rendered again."""
    context = row.context
    row = devices.update_settings(row, **values)
    if row.context != context:
        mark_stale(
            Config.objects.filter(device__organization=row.organization_id, is_retired=False)
        )
    return row
