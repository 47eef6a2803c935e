"""Streaming parser for the file in a multipart form (RFC 7578), up to gigabytes."""

from collections.abc import Callable, Iterator

from controller.base.errors import Refused

BLOCK = 256 * 1024
LONGEST_HEAD = 16 * 1024
NO_FILE = "The form holds no file."


def first_part(read: Callable[[int], bytes], boundary: bytes) -> Iterator[bytes]:
    """Yield the contents of the form's first part. Later parts are discarded."""
    held = _after_head(read, b"--" + boundary)
    closing = b"\r\n--" + boundary
    while (at := held.find(closing)) < 0:
        # The boundary may start at the end of the buffer.
        sure = max(0, len(held) - len(closing))
        if sure:
            yield held[:sure]
        more = read(BLOCK)
        if not more:
            raise Refused("The form ends in the midst of its file.")
        held = held[sure:] + more
    if at:
        yield held[:at]
    while read(BLOCK):
        """What follows is no part of the file."""


def _after_head(read: Callable[[int], bytes], start: bytes) -> bytes:
    """Skip the first part's headers and return the contents read so far."""
    held = b""
    while (end := held.find(b"\r\n\r\n")) < 0:
        if len(held) > LONGEST_HEAD or not (more := read(BLOCK)):
            raise Refused(NO_FILE)
        held += more
    if not held.startswith(start):
        raise Refused(NO_FILE)
    return held[end + 4 :]
