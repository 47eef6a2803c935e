"""Facts about an image, as its own metadata states them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.firmware.engine.errors import BadImage

COMPAT = re.compile(r"(\d{1,4})\.(\d{1,4})")
BOARD = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?")
FIRST_COMPAT = "1.0"
LONGEST_TEXT = 128
MOST_BOARDS = 200


@dataclass(frozen=True)
class Metadata:
    """What an image says about itself; ``boards`` is empty for images of any device."""

    boards: tuple[str, ...] = ()
    compat_version: str = FIRST_COMPAT
    compat_message: str = ""
    distribution: str = ""
    version: str = ""
    revision: str = ""
    target: str = ""


def read_metadata(info: Mapping[str, Any]) -> Metadata:
    """Interpret the JSON of an image; raise BadImage if it cannot be right."""
    compat = info.get("compat_version", FIRST_COMPAT)
    if not isinstance(compat, str) or COMPAT.fullmatch(compat) is None:
        raise BadImage(f'compat_version has the form "1.0", not {compat!r}.')
    version = info.get("version", {})
    if not isinstance(version, dict):
        raise BadImage("version in the metadata is not an object.")
    return Metadata(
        boards=_boards(info, compat),
        compat_version=compat,
        compat_message=_text(info, "compat_message", most=1024),
        distribution=_text(version, "dist"),
        version=_text(version, "version"),
        revision=_text(version, "revision"),
        target=_text(version, "target"),
    )


def _boards(info: Mapping[str, Any], compat: str) -> tuple[str, ...]:
    # Above 1.0 supported_devices holds a sentence for old versions of sysupgrade to show.
    name = "supported_devices" if compat == FIRST_COMPAT else "new_supported_devices"
    found = info.get(name)
    if not isinstance(found, list) or not found:
        raise BadImage(f"The metadata has no list {name}, so no device would accept the image.")
    if len(found) > MOST_BOARDS:
        raise BadImage(f"{name} has {len(found)} entries; at most {MOST_BOARDS} are allowed.")
    for one in found:
        if not isinstance(one, str) or BOARD.fullmatch(one) is None:
            raise BadImage(f"{name} holds {one!r}, which is no name of a board.")
    return tuple(dict.fromkeys(found))


def _text(values: Mapping[str, Any], name: str, *, most: int = LONGEST_TEXT) -> str:
    found = values.get(name, "")
    if not isinstance(found, str) or len(found) > most or not found.isprintable():
        raise BadImage(f"{name} in the metadata is not a short text.")
    return found


def compat_numbers(text: str) -> tuple[int, int]:
    """Return major and minor part of a compat version; (1, 0) for anything malformed."""
    found = COMPAT.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else (1, 0)
