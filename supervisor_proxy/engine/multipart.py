"""The file of a form (RFC 7578), part by part: clients send gigabytes so, and name no file."""

from collections.abc import Callable, Iterator

from controller.base.errors import Refused

BLOCK = 256 * 1024
LONGEST_HEAD = 16 * 1024
NO_FILE = "The form holds no file."


def first_part(read: Callable[[int], bytes], boundary: bytes) -> Iterator[bytes]:
    """What is in the first part of a form; whatever comes after it is read and dropped."""
    held = _after_head(read, b"--" + boundary)
    closing = b"\r\n--" + boundary
    while (at := held.find(closing)) < 0:
        # The boundary may have begun at the end of what is held.
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
    """What has been read of the first part's contents, its headers left behind."""
    held = b""
    while (end := held.find(b"\r\n\r\n")) < 0:
        if len(held) > LONGEST_HEAD or not (more := read(BLOCK)):
            raise Refused(NO_FILE)
        held += more
    if not held.startswith(start):
        raise Refused(NO_FILE)
    return held[end + 4 :]
