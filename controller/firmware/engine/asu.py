"""Custom images of OpenWrt's sysupgrade server (ASU): requests and answers."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

OK, ACCEPTED, GONE, OVERLOADED = 200, 202, 404, 529
REFUSED = range(400, 600)
# Of a proxy before the server; they pass.
AWAY = frozenset({502, 503, 504})
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
VERSION = re.compile(r"\d[\w.-]{0,31}|SNAPSHOT")
TARGET = re.compile(r"[a-z0-9_.-]{1,32}/[a-z0-9_.-]{1,32}")
SHA256 = re.compile(r"[0-9a-f]{64}")
FOLDER = re.compile(r"[\w.+-]+(?:/[\w.+-]+)*")
MOST_PACKAGES = 1000
LONGEST_WORDS = 1000


@dataclass(frozen=True)
class BuildOrder:
    """Image that a server should build."""

    version: str
    target: str
    board: str
    packages: tuple[str, ...]

    def body(self) -> dict[str, Any]:
        """Return the request; the packages come on top of those of the board.

        ``diff_packages`` stays off: an absolute list with a gap makes an image that does not boot.
        """
        return {
            "version": self.version,
            "target": self.target,
            "profile": self.board.replace(",", "_"),
            "packages": list(self.packages),
            "diff_packages": False,
            "client": "muster/1",
        }


@dataclass(frozen=True)
class BuiltImage:
    """File that a server offers."""

    path: str
    name: str
    sha256: str


@dataclass(frozen=True)
class Answer:
    """Answer of a server to a request: waiting, image or refusal."""

    request: str = ""
    words: str = ""
    is_waiting: bool = False
    is_gone: bool = False
    """Whether the server does not know the request any more, so that it is asked again."""
    image: BuiltImage | None = None


def check_order(order: BuildOrder) -> None:
    """Raise ValueError with the reason if a server cannot be asked for this."""
    if not VERSION.fullmatch(order.version):
        raise ValueError(f"{order.version!r} is no version of OpenWrt, such as 24.10.2.")
    if not TARGET.fullmatch(order.target):
        raise ValueError("The target of the device is not known, such as ath79/generic.")
    if len(order.packages) > MOST_PACKAGES:
        raise ValueError(f"At most {MOST_PACKAGES} packages can be asked for.")
    wrong = [name for name in order.packages if not NAME.fullmatch(name)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no name of a package.")


def read_answer(status: int, body: bytes, order: BuildOrder, root: str) -> Answer:
    """Read an answer to a request or to a question about it; raise ValueError for nonsense.

    ``root`` is the type of root filesystem that the device has, or empty.
    """
    values = _object(body)
    request = str(values.get("request_hash") or "")[:64]
    detail = str(values.get("detail") or "")[:LONGEST_WORDS]
    if status == ACCEPTED:
        return Answer(request, _progress(values, detail), is_waiting=True)
    if status == OVERLOADED:
        return Answer(request, f"The server is busy: {detail}", is_waiting=True)
    if status == GONE:
        return Answer(is_gone=True, words=detail)
    if status == OK:
        return Answer(request, image=_image(values, order, root))
    if status in REFUSED and status not in AWAY:
        said = str(values.get("stderr") or "").strip()[-LONGEST_WORDS:]
        return Answer(request, f"{detail}. {said}".strip(". ") or f"It answered {status}.")
    raise ValueError(f"The server answered {status}.")


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("The server's answer is no JSON.") from error
    if not isinstance(found, dict):
        raise ValueError("The server's answer is no object.")  # noqa: TRY004
    return found


def _progress(values: Mapping[str, Any], detail: str) -> str:
    place = values.get("queue_position")
    if detail == "queued" and isinstance(place, int):
        return f"Waits in the server's queue, at place {place}."
    step = str(values.get("imagebuilder_status") or detail)[:64]
    return f"The server is at work: {step}."


def _image(values: Mapping[str, Any], order: BuildOrder, root: str) -> BuiltImage:
    lacking = _lacking(values.get("manifest"), order.packages)
    if lacking:
        raise ValueError(f"The image lacks {', '.join(lacking[:8])}.")
    folder = str(values.get("bin_dir") or "")
    if not FOLDER.fullmatch(folder) or ".." in folder.split("/"):
        raise ValueError("The server names no folder of its images.")
    images = values.get("images")
    found = [
        one
        for one in images if isinstance(one, dict) and one.get("type") == "sysupgrade"
    ] if isinstance(images, list) else []  # fmt: skip
    # Stable: of several the first of the device's own kind.
    found.sort(key=lambda one: one.get("filesystem") != root)
    for one in found:
        name, digest = str(one.get("name") or ""), str(one.get("sha256") or "")
        if NAME.fullmatch(name) and SHA256.fullmatch(digest):
            return BuiltImage(f"store/{folder}/{name}", name, digest)
    raise ValueError("The server built no sysupgrade image for this board.")


def _lacking(manifest: object, packages: Iterable[str]) -> list[str]:
    """Return the requested packages that the image lacks."""
    if not isinstance(manifest, dict):
        return []
    return [name for name in packages if not name.startswith("-") and name not in manifest]
