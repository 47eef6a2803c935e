"""Reproducible tar.gz archives: the same files always give the same bytes.

Agents compare an MD5 of the compressed bytes, so the bytes must equal the ones Python's own
`tarfile` and `gzip` write with level 9 and no timestamps; this implementation takes a fifth
of the time.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

BLOCK = tarfile.BLOCKSIZE
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"


@dataclass(frozen=True, slots=True)
class File:
    """File of an archive; `path` has no leading slash, `mode` holds the permission bits."""

    path: str
    mode: int
    contents: bytes = field(repr=False)  # keep keys and passwords out of tracebacks


def tar(files: Iterable[File]) -> bytes:
    parts: list[bytes] = []
    for file in files:
        size = len(file.contents)
        parts += (_header(file, size), file.contents, bytes(-size % BLOCK))
    parts.append(bytes(2 * BLOCK))
    text = b"".join(parts)
    return text + bytes(-len(text) % tarfile.RECORDSIZE)


def gzip(data: bytes) -> bytes:
    """Compress with level 9, without time or name, like `gzip.GzipFile(mtime=0)`."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, 0)
    trailer = zlib.crc32(data).to_bytes(4, "little") + (len(data) & 0xFFFFFFFF).to_bytes(
        4, "little"
    )
    return GZIP_HEADER + deflate.compress(data) + deflate.flush() + trailer


def _header(file: File, size: int) -> bytes:
    name = file.path.encode()
    if len(name) > tarfile.LENGTH_NAME or not file.path.isascii() or size >= 8**11:
        info = tarfile.TarInfo(file.path)
        info.size, info.mode = size, file.mode
        return info.tobuf(tarfile.PAX_FORMAT)
    start = name.ljust(100, b"\0") + b"%07o\0%s%011o\0%s" % (
        file.mode & 0o7777,
        b"0000000\x00" * 2,
        size,
        b"00000000000\x00",
    )
    rest = b"0" + bytes(100) + b"ustar\x0000" + bytes(247)
    checksum = sum(start) + sum(b" " * 8) + sum(rest)
    return start + b"%06o\0 " % checksum + rest


def unpacked(archive: bytes) -> list[File]:
    """Return the regular files of a tar.gz archive."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return [
            File(path=member.name, mode=member.mode, contents=content.read())
            for member in tar.getmembers()
            if (content := tar.extractfile(member)) is not None
        ]
