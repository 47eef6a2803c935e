"""Which devices an image fits, by what they reported."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from controller.devices.models import Device
from controller.firmware.engine.matching import DeviceFacts, Mismatch, mismatches
from controller.firmware.engine.options import Options
from controller.firmware.models import Build, DeviceSystem, Image, ImageBoard
from controller.firmware.rules.policies import policy_of


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


class Matcher:
    """Images of one build, held against devices; facts are read once for all of them."""

    def __init__(self, images: Iterable[Image], options: Options) -> None:
        self.images, self.options = list(images), options
        self.facts = {image.pk: image.facts for image in self.images}
        self.signatures: dict[UUID, str] = {}

    def match(self, device: Device, assigned: UUID | None = None) -> Match:
        """Return the image for a device, and the reasons against it.

        ``assigned`` names the image that a person chose for it.
        """
        system: DeviceSystem | None = getattr(device, "firmware_system", None)
        facts = system.facts if system else DeviceFacts()
        image = next((one for one in self.images if one.pk == assigned), None)
        image = image or next((one for one in self.images if _names(one, facts.board)), None)
        if image is None:
            return Match(device, None, (_no_image(facts),))
        found = mismatches(
            self.facts[image.pk], facts, self.options,
            signatures=self.demanded(device.organization_id),
        )  # fmt: skip
        return Match(device, image, tuple(found))

    def demanded(self, organization_id: UUID) -> str:
        """Return what an organization demands of signatures."""
        if organization_id not in self.signatures:
            self.signatures[organization_id] = policy_of(organization_id).signatures
        return self.signatures[organization_id]


def match_devices(build: Build, devices: Iterable[Device], options: Options) -> list[Match]:
    """Return for each device the image of the build, and the reasons against it."""
    matcher = Matcher(images_of(build), options)
    return [matcher.match(device) for device in devices]


def match_device(
    device: Device, images: Iterable[Image], options: Options, assigned: UUID | None = None
) -> Match:
    return Matcher(images, options).match(device, assigned)


def _names(image: Image, board: str) -> bool:
    return bool(board) and any(one.name == board for one in image.boards.all())


def _no_image(facts: DeviceFacts) -> Mismatch:
    if not facts.board:
        return Mismatch("unknown_board", "The board of the device has not been read yet.")
    return Mismatch("no_image", f"The build has no image for {facts.board}.")
