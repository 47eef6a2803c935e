"""Files that all machines share: in an S3-compatible object store, if one is set.

Without one, files are below MEDIA_ROOT alone, and everything here is a no-op.
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.utils.translation import gettext

from controller.base.database import release_connections
from controller.base.errors import Unreachable
from controller.base.outbound.transactions import check_no_transaction

log = logging.getLogger(__name__)
PART = 1024 * 1024
# A copy on this machine that nothing used for as long is fetched again when it is needed.
COPY_SECONDS = 24 * 3600
TEMPORARY = "fetched-"


def is_set() -> bool:
    return bool(settings.MUSTER_S3_BUCKET)


def share(path: Path, name: str) -> None:
    """Copy a local file to the store unless it is there; raise Unreachable.

    The name has to name its content, such as a hash: a file that exists is not compared.
    """
    if not is_set():
        return
    with _asked(), path.open("rb") as file:
        if not default_storage.exists(name):
            default_storage.save(name, File(file))


def fetch(name: str, path: Path) -> None:
    """Bring a file of the store to this machine unless it is here.

    Raise FileNotFoundError if it is nowhere, Unreachable if the store does not answer.
    """
    if path.exists():
        # For forget_copies.
        os.utime(path)
        return
    if not is_set():
        raise FileNotFoundError(path)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with NamedTemporaryFile(dir=path.parent, prefix=TEMPORARY, delete=False) as target:
        part = Path(target.name)
        try:
            with _asked(), default_storage.open(name) as source:
                for chunk in source.chunks(PART):
                    target.write(chunk)
            target.flush()
            part.rename(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    forget_copies(path.parent)


def forget_copies(folder: Path) -> None:
    """Delete this machine's copies that were not used for a day."""
    limit = time.time() - COPY_SECONDS
    for path in folder.iterdir():
        if path.is_file() and path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)


def names(folder: str = "") -> Iterator[str]:
    """Yield the names of all files in a folder of the store and below it."""
    folders, files = default_storage.listdir(folder)
    prefix = f"{folder}/" if folder else ""
    for name in sorted(files):
        yield f"{prefix}{name}"
    for name in sorted(folders):
        yield from names(f"{prefix}{name}")


@contextmanager
def _asked() -> Iterator[None]:
    """Hold no connection to the database meanwhile; raise Unreachable for what the store says."""
    # Imported here: no portal without an object store needs it.
    from botocore.exceptions import BotoCoreError, ClientError

    check_no_transaction("The object store")
    release_connections()
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        log.warning("object store: %s", error)
        raise Unreachable(
            gettext("The object store did not do it: %(error)s") % {"error": error}
        ) from error
