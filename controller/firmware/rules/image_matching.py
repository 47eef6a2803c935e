"""Matching of images and devices, by the devices' reports."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext

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
    """Images of one build, matched to devices; facts are read once for all."""

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
        """Return an organization's signature requirement."""
        if organization_id not in self.signatures:
            self.signatures[organization_id] = policy_of(organization_id).signatures
        return self.signatures[organization_id]


def match_devices(build: Build, devices: Iterable[Device], options: Options) -> list[Match]:
    """Return for each device the image of the build, and the reasons against it."""
    matcher = Matcher(images_of(build), options)
    return [matcher.match(device) for device in devices]


# What reasons against an image are called in lists.
TITLES: Mapping[str, str] = {
    "no_image": "Board in no image", "unknown_board": "Board not read yet",
    "wrong_board": "Other board", "unconfirmed_board": "Board to be confirmed",
    "wrong_target": "Other target", "compat_major": "Can only be installed by hand",
    "compat_minor": "Needs a reset of settings", "downgrade": "Runs a newer version",
    "step": "Must not skip a build", "signature": "Signature not as required",
    "broken_signature": "Signature not valid", "flash": "Flash is too small",
    "memory": "Too little memory", "tmp": "Too little room in /tmp",
}  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """How many devices a build fits, by image, and how many it does not, by reason."""

    fitting: int
    by_image: Mapping[UUID, int]
    by_reason: Sequence[tuple[str, str, int]]
    """Code, title and number, the most frequent first."""


def summarize(build: Build, devices: Iterable[Device]) -> Summary:
    found = match_devices(build, devices, Options())
    fitting = Counter(one.image.pk for one in found if one.image and one.fits)
    reasons = Counter(one.reasons[0].code for one in found if one.reasons)
    return Summary(
        fitting.total(),
        fitting,
        [
            (code, gettext(TITLES.get(code, code)), count)
            for code, count in reasons.most_common()
        ],
    )


# What is checked before an upgrade, and the reasons that speak against each.
CHECKS: Mapping[str, frozenset[str]] = {
    "The board is in the image's list": frozenset(
        {"unknown_board", "wrong_board", "unconfirmed_board", "wrong_target"}
    ),
    "Settings can be kept": frozenset({"compat_major", "compat_minor"}),
    "The version is not older, and no build is skipped": frozenset({"downgrade", "step"}),
    "The signature is as the organization requires": frozenset(
        {"signature", "broken_signature"}
    ),
    "The image fits the flash": frozenset({"flash"}),
    "The device has enough memory": frozenset({"memory", "tmp"}),
}


def checks(match: Match) -> list[tuple[str, bool]]:
    """Return each check before an upgrade, and whether it is passed."""
    against = {one.code for one in match.reasons}
    return [(title, not codes & against) for title, codes in CHECKS.items()]


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
