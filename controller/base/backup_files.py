"""Uploaded files in a backup: of the media folder, or of the object store."""

import shutil
import time
from pathlib import Path
from typing import IO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from controller.base import object_store

FOLDER = "media/"


def write_files(archive: ZipFile) -> int:
    """Write all uploaded files into the archive. Returns their number."""
    if object_store.is_set():
        return _write_objects(archive)
    count, top = 0, Path(settings.MEDIA_ROOT)
    for path in sorted(top.rglob("*")):
        if path.is_file() and not path.is_symlink():
            # Images are compressed already.
            archive.write(path, f"{FOLDER}{path.relative_to(top)}", compress_type=ZIP_STORED)
            count += 1
    return count


def _write_objects(archive: ZipFile) -> int:
    count = 0
    for name in object_store.names():
        info = ZipInfo(f"{FOLDER}{name}", date_time=time.gmtime()[:6])
        with (
            default_storage.open(name) as source,
            archive.open(info, "w", force_zip64=True) as target,
        ):
            _copy(source, target)
        count += 1
    return count


def read_files(archive: ZipFile) -> int:
    """Store all uploaded files of the archive. Returns their number.

    Raise SuspiciousFileOperation for a name that leads out of the folder.
    """
    names = [
        info.filename
        for info in archive.infolist()
        if info.filename.startswith(FOLDER) and not info.is_dir()
    ]
    for name in names:
        with archive.open(name) as source:
            _store(name.removeprefix(FOLDER), source)
    return len(names)


def _store(name: str, source: IO[bytes]) -> None:
    if object_store.is_set():
        default_storage.save(name, File(source))
        return
    target = Path(default_storage.path(name))
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        _copy(source, file)


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    shutil.copyfileobj(source, target, 1024 * 1024)
