from controller.firmware.models.backups import ConfigurationBackup
from controller.firmware.models.catalog import Build, Category, Image, ImageBoard
from controller.firmware.models.devices import DeviceFirmware, DeviceSystem
from controller.firmware.models.downloads import ImageDownload
from controller.firmware.models.gateways import GatewayRollout, GatewayUpgrade
from controller.firmware.models.policies import FirmwarePolicy, TrustedKey
from controller.firmware.models.requests import ImageRequest
from controller.firmware.models.rollouts import FirmwareRollout, Packages
from controller.firmware.models.upgrades import UPGRADES, Upgrade

__all__ = [
    "UPGRADES",
    "Build",
    "Category",
    "ConfigurationBackup",
    "DeviceFirmware",
    "DeviceSystem",
    "FirmwarePolicy",
    "FirmwareRollout",
    "GatewayRollout",
    "GatewayUpgrade",
    "Image",
    "ImageBoard",
    "ImageDownload",
    "ImageRequest",
    "Packages",
    "TrustedKey",
    "Upgrade",
]
