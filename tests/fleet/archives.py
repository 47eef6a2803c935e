"""Archives as the portal makes them, and ones it never would."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Sequence

from controller.configs.drivers.contract import Archive

File = str | tuple[str, int]


def archive(
    files: dict[str, File] | Sequence[tuple[str, File]],
    *,
    links: dict[str, str] | None = None,
) -> Archive:
    """A tar.gz of path → text, or path → (text, mode); ``links`` are symbolic."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, target in (links or {}).items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
        for path, file in files.items() if isinstance(files, dict) else files:
            text, mode = (file, 0o644) if isinstance(file, str) else file
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(text.encode()), mode
            tar.addfile(entry, io.BytesIO(text.encode()))
    content = gzip.compress(buffer.getvalue(), mtime=0)
    checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return Archive(content, checksum)
