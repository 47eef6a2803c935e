"""Files of images: written once under their SHA-256, shared by equal images, never public."""

import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils.translation import gettext

from controller.base import object_store
from controller.base.errors import Refused
from controller.firmware.models import Image
from controller.firmware.models.catalog import FOLDER

# Files younger than this may belong to an upload that is not committed yet.
SHORTEST_AGE = 3600
PREFIX = "new-"


@dataclass(frozen=True)
class StoredFile:
    path: Path
    size: int
    sha256: str


def folder() -> Path:
    found = Path(settings.MEDIA_ROOT) / FOLDER
    found.mkdir(parents=True, exist_ok=True, mode=0o700)
    return found


def store(parts: Iterable[bytes]) -> StoredFile:
    """Write these bytes to a temporary file and hash them; raise Refused if too many."""
    limit, size, digest = settings.MUSTER_FIRMWARE_LIMIT, 0, hashlib.sha256()
    with NamedTemporaryFile(dir=folder(), prefix=PREFIX, delete=False) as file:
        path = Path(file.name)
        try:
            for part in parts:
                size += len(part)
                _check_size(size, limit)
                digest.update(part)
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise
    return StoredFile(path, size, digest.hexdigest())


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise Refused(
            {
                "file": [
                    gettext("The file is larger than %(limit)s bytes, the limit here.")
                    % {"limit": limit}
                ]
            }
        )


def share(file: StoredFile) -> None:
    """Copy a stored file to the object store, if there is one; raise Unreachable."""
    object_store.share(file.path, f"{FOLDER}/{file.sha256}")


def keep(file: StoredFile) -> None:
    """Move a stored file to its final name."""
    file.path.rename(folder() / file.sha256)


def local_file(image: Image) -> Path:
    """Return the file of an image on this machine, fetched from the object store if needed.

    Raise FileNotFoundError if it is gone, Unreachable if the object store does not answer.
    """
    object_store.fetch(f"{FOLDER}/{image.sha256}", image.path)
    return image.path


def discard(file: StoredFile) -> None:
    file.path.unlink(missing_ok=True)


def forget_files() -> int:
    """Delete files that no image has. Returns their number."""
    known = set(Image.objects.values_list("sha256", flat=True))
    limit, count = time.time() - SHORTEST_AGE, 0
    for path in folder().iterdir():
        if path.name not in known and path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)
            count += 1
    return count + (_forget_shared(known, limit) if object_store.is_set() else 0)


def _forget_shared(known: set[str], limit: float) -> int:
    count = 0
    for name in object_store.names(FOLDER):
        is_old = default_storage.get_modified_time(name).timestamp() < limit
        if name.rpartition("/")[2] not in known and is_old:
            default_storage.delete(name)
            count += 1
    return count
