"""No connection is opened while a transaction is: it would hold locks for as long as it waits."""

import logging
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from asgiref.sync import async_to_sync
from django.db import connections

log = logging.getLogger(__name__)
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def report(message: str) -> None:
    log.error(message, stack_info=True)


# Called with what is wrong. The tests exchange it for one that fails them.
reporters: list[Callable[[str], None]] = [report]


def check_no_transaction(target: str) -> None:
    """Report a connection to the target if this thread has a transaction open."""
    for connection in connections.all(initialized_only=True):
        # Django's own test cases run in a transaction each.
        if any(not vars(block)["_from_testcase"] for block in connection.atomic_blocks):
            for each in reporters:
                each(f"{target} is asked inside a transaction.")


def blocking(
    function: Callable[Parameters, Awaitable[Result]],
) -> Callable[Parameters, Result]:
    """Return a function that runs the coroutine function in an event loop and waits for it.

    The loop has another thread, so the check is here.
    """

    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        check_no_transaction(function.__qualname__)
        return async_to_sync(function)(*args, **kwargs)

    return run
