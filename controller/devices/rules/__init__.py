"""Rules of devices, groups and presence."""

from controller.devices.rules.devices import (
    activate,
    add_device,
    change_device,
    check_limit,
    check_site,
    deactivate,
    new_key,
)
from controller.devices.rules.groups import check_group, create_group, update_group
from controller.devices.rules.management_address import (
    ClaimRefused,
    claim_management_ip,
    set_approved,
)
from controller.devices.rules.organization_settings import (
    rotate_shared_secret,
    settings_by_secret,
    settings_of,
    update_settings,
)
from controller.devices.rules.presence import (
    Observation,
    publish_status,
    record_last_seen,
    record_observations,
)

__all__ = [
    "ClaimRefused",
    "Observation",
    "activate",
    "add_device",
    "change_device",
    "check_group",
    "check_limit",
    "check_site",
    "claim_management_ip",
    "create_group",
    "deactivate",
    "new_key",
    "publish_status",
    "record_last_seen",
    "record_observations",
    "rotate_shared_secret",
    "set_approved",
    "settings_by_secret",
    "settings_of",
    "update_group",
    "update_settings",
]
