"""One read of a thing at a time: whoever asks meanwhile gets the same answer."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

from controller.base.database import release_connections

Result = TypeVar("Result")

_lock = threading.Lock()
_running: dict[Hashable, "Future[Any]"] = {}


def single_flight(key: Hashable, read: Callable[[], Result]) -> Result:
    """Call ``read``, or share the result of the call under this key that is under way.

    Within one process; an exception is shared like a result.
    """
    with _lock:
        running = _running.get(key)
        if running is None:
            mine: Future[Any] = Future()
            _running[key] = mine
    if running is not None:
        release_connections()
        found: Result = running.result()
        return found
    try:
        result = read()
        mine.set_result(result)
    except BaseException as error:
        mine.set_exception(error)
        raise
    else:
        return result
    finally:
        with _lock:
            del _running[key]
