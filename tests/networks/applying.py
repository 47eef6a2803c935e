"""What tests of gateways' changes do again and again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from controller.accounts.models import User
from networks import tasks
from networks.models import Change
from networks.rules import scheduling
from networks.rules.scheduling import How


def ask(change: Change, by: User, **how: Any) -> Change:
    return scheduling.ask(change, by=by, how=How(force=True, **how))


def applied(change: Change, by: User, **how: Any) -> Change:
    """Ask for it, and be the worker that does it; what went wrong is raised."""
    ask(change, by, **how)
    tasks.apply_change(str(change.pk))
    return scheduling.outcome(change, seconds=0)


def work_off() -> None:
    """Be the workers, until nothing is left to do."""
    for _ in range(100):
        due = Change.objects.filter(state="scheduled").values_list("pk", flat=True)
        if not any(tasks.apply_change(str(pk)) for pk in due):
            return


def while_working(request: Callable[[], str]) -> str:
    """Ask in a thread, which waits, and be the worker meanwhile; what it was answered."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(request)
        while not answer.done():
            work_off()
            with suppress(TimeoutError):
                answer.result(timeout=0.2)
        return answer.result()
