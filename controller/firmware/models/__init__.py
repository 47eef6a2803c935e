from controller.firmware.models.catalog import Build, Category, Image, ImageBoard
from controller.firmware.models.devices import DeviceFirmware, DeviceSystem
from controller.firmware.models.rollouts import FirmwareRollout
from controller.firmware.models.upgrades import UPGRADES, Upgrade

__all__ = [
    "UPGRADES",
    "Build",
    "Category",
    "DeviceFirmware",
    "DeviceSystem",
    "FirmwareRollout",
    "Image",
    "ImageBoard",
    "Upgrade",
]
