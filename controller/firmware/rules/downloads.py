"""Downloads of images by devices: one-time tokens, and what each of them opens."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from controller.base.errors import Unreachable
from controller.base.secrets import digest
from controller.firmware.models import ImageDownload, Upgrade
from controller.firmware.rules.image_storage import local_file

PATH = "/firmware/fetch/"
TOKEN_BYTES = 32
LIFETIME = timedelta(hours=1)
MOST_STARTS = 3


@dataclass(frozen=True)
class OpenedDownload:
    """File that a token opens, and the bandwidth of its site."""

    path: Path
    size: int
    sha256: str
    lane: str
    rate: int


def download_url() -> str:
    """Return where devices download images; empty if they do not."""
    is_on = settings.MUSTER_FIRMWARE_DOWNLOADS and settings.MUSTER_PUBLIC_URL
    return f"{settings.MUSTER_PUBLIC_URL}{PATH}" if is_on else ""


def issue(upgrade: Upgrade) -> str:
    """Return a new token for the image of an upgrade; a former one ends."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    ImageDownload.objects.update_or_create(
        upgrade=upgrade,
        defaults={
            "digest": digest(token), "expires": timezone.now() + LIFETIME, "starts": 0,
        },
    )  # fmt: skip
    return token


def revoke(upgrade: Upgrade) -> None:
    ImageDownload.objects.filter(upgrade=upgrade).delete()


def open_download(token: str) -> OpenedDownload | None:
    """Count the start of a download; return None if the token does not open any."""
    rows = ImageDownload.objects.filter(
        digest=digest(token),
        expires__gt=timezone.now(),
        starts__lt=MOST_STARTS,
        upgrade__state=Upgrade.State.SENDING,
        upgrade__image__isnull=False,
    )
    found = rows.select_related("upgrade__image", "upgrade__device").first()
    if found is None:
        return None
    same = ImageDownload.objects.filter(digest=found.digest, starts__lt=MOST_STARTS)
    if not same.update(starts=F("starts") + 1):
        return None
    upgrade = found.upgrade
    if upgrade.image is None:
        return None
    try:
        path = local_file(upgrade.image)
    except (FileNotFoundError, Unreachable):
        return None
    return OpenedDownload(
        path, upgrade.size, upgrade.sha256, lane_of(upgrade), settings.MUSTER_FIRMWARE_SITE_RATE
    )


def lane_of(upgrade: Upgrade) -> str:
    """Return the name under which transfers to one site share their bandwidth."""
    return f"firmware:{upgrade.device.site_id or upgrade.device_id}"


def forget_expired() -> int:
    """Delete tokens that have expired. Returns their number."""
    return int(ImageDownload.objects.filter(expires__lt=timezone.now()).delete()[0])
