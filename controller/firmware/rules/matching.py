"""Which devices an image fits, by what they reported."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from controller.devices.models import Device
from controller.firmware.engine.matching import DeviceFacts, Mismatch, mismatches
from controller.firmware.engine.options import Options
from controller.firmware.models import Build, DeviceSystem, Image, ImageBoard


@dataclass(frozen=True)
class Match:
    """A device and the image of a build for it, or why there is none."""

    device: Device
    image: Image | None
    reasons: tuple[Mismatch, ...] = ()

    @property
    def fits(self) -> bool:
        return self.image is not None and not self.reasons


def images_of(build: Build) -> list[Image]:
    return list(build.images.prefetch_related("boards"))


def fitting_devices(image: Image) -> QuerySet[Device]:
    """Return the active devices whose reported board the image names."""
    rows = Device.objects.filter(
        is_deactivated=False, firmware_system__board__in=image.boards.values("name")
    )
    owner = image.build.category.organization_id
    return rows.filter(organization=owner) if owner else rows


def images_for(device: Device) -> QuerySet[Image]:
    """Return the images that name this device's board, own and shared, newest first."""
    system = DeviceSystem.objects.filter(device=device).first()
    board = system.board if system else ""
    named = ImageBoard.objects.filter(name=board).exclude(name="").values("image")
    own = Image.objects.filter(build__category__organization=device.organization_id)
    shared = Image.objects.filter(build__category__organization=None)
    rows: QuerySet[Image] = (own | shared).filter(pk__in=named)
    return rows.select_related("build__category").order_by("-created")


def with_systems(devices: QuerySet[Device]) -> QuerySet[Device]:
    systems = Prefetch("firmware_system", DeviceSystem.objects.all())
    return devices.prefetch_related(systems)


def match_devices(
    build: Build, devices: Iterable[Device], options: Options, *, assigned: dict[UUID, UUID]
) -> list[Match]:
    """Return for each device the image of the build, and the reasons against it.

    ``assigned`` names the image that a device is to get, where a person chose one.
    """
    images = images_of(build)
    return [
        match_device(device, images, options, assigned.get(device.pk)) for device in devices
    ]


def match_device(
    device: Device, images: list[Image], options: Options, assigned: UUID | None = None
) -> Match:
    system: DeviceSystem | None = getattr(device, "firmware_system", None)
    facts = system.facts if system else DeviceFacts()
    image = next((one for one in images if one.pk == assigned), None)
    image = image or next((one for one in images if _names(one, facts.board)), None)
    if image is None:
        return Match(device, None, (_no_image(facts),))
    return Match(device, image, tuple(mismatches(image.facts, facts, options)))


def _names(image: Image, board: str) -> bool:
    return bool(board) and any(one.name == board for one in image.boards.all())


def _no_image(facts: DeviceFacts) -> Mismatch:
    if not facts.board:
        return Mismatch("unknown_board", "The board of the device has not been read yet.")
    return Mismatch("no_image", f"The build has no image for {facts.board}.")
