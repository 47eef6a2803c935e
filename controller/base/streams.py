"""Streams from other machines that notice when their reader has left."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait

TICK_SECONDS = 0.5


def with_ticks(
    parts: Iterator[bytes], *, interrupt: Callable[[], None]
) -> Generator[bytes, None, None]:
    """Yield the parts, and an empty part whenever none has come for half a second.

    A thread reads the parts. Closing the generator calls ``interrupt``, which must end a read
    that is blocked.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="stream") as thread:
        try:
            while True:
                read = thread.submit(next, parts, None)
                while not wait([read], TICK_SECONDS).done:
                    yield b""
                part = read.result()
                if part is None:
                    return
                yield part
        finally:
            interrupt()
