from controller.devices.admin.panels import register_panel
from controller.firmware.admin.catalog import BuildAdmin, CategoryAdmin, ImageAdmin
from controller.firmware.admin.device_tab import firmware_of
from controller.firmware.admin.gateway_rollouts import GatewayRolloutAdmin
from controller.firmware.admin.image_requests import ImageRequestAdmin
from controller.firmware.admin.policies import FirmwarePolicyAdmin, TrustedKeyAdmin
from controller.firmware.admin.rollouts import FirmwareRolloutAdmin
from controller.firmware.admin.upgrades import UpgradeAdmin

register_panel("firmware", firmware_of)

__all__ = [
    "BuildAdmin",
    "CategoryAdmin",
    "FirmwarePolicyAdmin",
    "FirmwareRolloutAdmin",
    "GatewayRolloutAdmin",
    "ImageAdmin",
    "ImageRequestAdmin",
    "TrustedKeyAdmin",
    "UpgradeAdmin",
]
