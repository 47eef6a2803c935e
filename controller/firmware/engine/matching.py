"""Which devices an image fits, and why it does not fit the others."""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.firmware.engine.metadata import FIRST_COMPAT, compat_numbers
from controller.firmware.engine.options import Options
from controller.firmware.engine.versions import is_older

MIB = 1024 * 1024
# What sysupgrade needs besides the image: its own copy of programs, and the backup.
MEMORY_RESERVE = 8 * MIB
TMP_RESERVE = 2 * MIB
IGNORE, IF_PRESENT, REQUIRED = "ignore", "if_present", "required"


@dataclass(frozen=True)
class ImageFacts:
    """An image; without boards it was confirmed by a person for ``confirmed_boards``."""

    size: int
    boards: frozenset[str] = frozenset()
    confirmed_boards: frozenset[str] = frozenset()
    target: str = ""
    version: str = ""
    compat_version: str = FIRST_COMPAT
    signature: str = "none"
    flash_limit: int | None = None
    steps: tuple[str, ...] = ()
    """Versions between older ones and this one that no device may skip."""


@dataclass(frozen=True)
class DeviceFacts:
    """What a device reported; None for what it did not tell."""

    board: str = ""
    target: str = ""
    version: str = ""
    compat_version: str = FIRST_COMPAT
    memory_available: int | None = None
    memory_total: int | None = None
    tmp_free: int | None = None


@dataclass(frozen=True)
class Mismatch:
    """Reason why an image is not installed; ``code`` is stable, ``text`` for people."""

    code: str
    text: str


def mismatches(
    image: ImageFacts,
    device: DeviceFacts,
    options: Options,
    *,
    signatures: str = IGNORE,
    is_now: bool = False,
) -> list[Mismatch]:
    """Return why this image must not be installed; an empty list if it may be.

    ``signatures`` says what the organization demands of them. Free memory counts only if the
    facts were read just now (``is_now``); before, the total decides whether it can ever fit.
    """
    return [
        *_board(image, device),
        *_compat(image, device, options),
        *_version(image, device, options),
        *_signature(image, signatures),
        *_flash(image),
        *(_memory_now(image, device) if is_now else _memory_ever(image, device)),
    ]


def _board(image: ImageFacts, device: DeviceFacts) -> Iterator[Mismatch]:
    if not device.board:
        yield Mismatch("unknown_board", "The board of the device has not been read yet.")
    elif image.boards:
        if device.board not in image.boards:
            known = ", ".join(sorted(image.boards)[:5])
            yield Mismatch(
                "wrong_board", f"The device is a {device.board}; the image is for {known}."
            )
    elif device.board not in image.confirmed_boards:
        yield Mismatch(
            "unconfirmed_board",
            f"The image names no devices, and nobody has confirmed that it fits {device.board}.",
        )
    elif image.target and device.target and image.target != device.target:
        yield Mismatch(
            "wrong_target",
            f"The device is of {device.target}; the image is for {image.target}.",
        )


def _compat(image: ImageFacts, device: DeviceFacts, options: Options) -> Iterator[Mismatch]:
    theirs, ours = compat_numbers(device.compat_version), compat_numbers(image.compat_version)
    if theirs[0] != ours[0]:
        yield Mismatch(
            "compat_major",
            f"The image has compat version {image.compat_version}, the device "
            f"{device.compat_version}: it can only be installed by hand.",
        )
    elif theirs != ours and not options.resets:
        yield Mismatch(
            "compat_minor",
            f"The image has compat version {image.compat_version}, the device "
            f"{device.compat_version}: its settings cannot be kept. Reset them (option n).",
        )


def _version(image: ImageFacts, device: DeviceFacts, options: Options) -> Iterator[Mismatch]:
    if is_older(image.version, device.version) and "downgrade" not in options.switches:
        yield Mismatch(
            "downgrade",
            f"The device runs {device.version}; the image is older, {image.version}. Allow "
            "downgrades to install it.",
        )
    skipped = [
        step
        for step in image.steps
        if is_older(device.version, step) and is_older(step, image.version)
    ]
    if skipped:
        yield Mismatch(
            "step",
            f"The device runs {device.version} and must not skip {skipped[0]}: install that "
            "version first.",
        )


def _signature(image: ImageFacts, demanded: str) -> Iterator[Mismatch]:
    if image.signature == "broken":
        yield Mismatch("broken_signature", "The signature of the image is not valid.")
    elif demanded == REQUIRED and image.signature != "valid":
        yield Mismatch(
            "signature",
            "The organization requires signed firmware, and the image has no signature of a "
            "trusted key.",
        )
    elif demanded == IF_PRESENT and image.signature == "unknown_key":
        yield Mismatch("signature", "The image is signed with a key that is not trusted.")


def _flash(image: ImageFacts) -> Iterator[Mismatch]:
    if image.flash_limit is not None and image.size > image.flash_limit:
        yield Mismatch(
            "flash",
            f"The image has {_mib(image.size)}; the flash of the device takes "
            f"{_mib(image.flash_limit)}.",
        )


def _memory_now(image: ImageFacts, device: DeviceFacts) -> Iterator[Mismatch]:
    needed = image.size + MEMORY_RESERVE
    if device.memory_available is not None and device.memory_available < needed:
        yield Mismatch(
            "memory",
            f"The device has {_mib(device.memory_available)} of memory available; "
            f"{_mib(needed)} are needed for the image and for installing it.",
        )
    needed = image.size + TMP_RESERVE
    if device.tmp_free is not None and device.tmp_free < needed:
        yield Mismatch(
            "tmp",
            f"The device has {_mib(device.tmp_free)} free in its memory for files; "
            f"{_mib(needed)} are needed.",
        )


def _memory_ever(image: ImageFacts, device: DeviceFacts) -> Iterator[Mismatch]:
    needed = image.size + MEMORY_RESERVE
    if device.memory_total is not None and device.memory_total < needed:
        yield Mismatch(
            "memory",
            f"The device has {_mib(device.memory_total)} of memory in all; {_mib(needed)} are "
            "needed for the image and for installing it.",
        )


def _mib(size: int) -> str:
    return f"{size / MIB:.1f} MiB"
