"""Devices that have reported their boards, and images for them."""

from typing import Any

from controller.accounts.models import Organization
from controller.devices.models import Device
from controller.firmware.models import Build, Category, DeviceSystem, Image
from controller.firmware.rules import image_uploads
from tests import factories
from tests.firmware.images import image, metadata

BOARD = "example,router-v1"


def build(organization: Organization | None, version: str = "24.10.2") -> Build:
    category, _ = Category.objects.get_or_create(organization=organization, name="all")
    return Build.objects.create(category=category, version=version)


def add_image(row: Build, *boards: str, **values: Any) -> Image:
    boards = boards or (BOARD,)
    name = f"{boards[0].replace(',', '_')}-sysupgrade.bin"
    return image_uploads.add_image(row, name=name, parts=[image(metadata(*boards, **values))])


def device(organization: Organization, board: str = BOARD, **values: Any) -> Device:
    row = factories.device(organization, management_ip="127.0.0.1", **values)
    login = factories.credentials(organization)
    factories.connection(row, login, port=9, update_strategy="openwrt-agent")
    if board:
        DeviceSystem.objects.create(device=row, board=board, version="24.10.1", revision="r1")
    return row
