"""Helpers for tests of gateway changes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from controller.accounts.models import User
from networks import tasks
from networks.gateways.engine.features import FEATURES, Feature
from networks.gateways.models import Change, Gateway
from networks.gateways.rules import changes, scheduling
from networks.gateways.rules.scheduling import ApplyOptions
from tests import factories
from tests.fleet.gateway import serving
from tests.fleet.gateways import VENDORS


def ask(change: Change, by: User, **how: Any) -> Change:
    return scheduling.schedule(change, by=by, how=ApplyOptions(force=True, **how))


def applied(change: Change, by: User, **how: Any) -> Change:
    """Schedule the change and run the worker. Raises the recorded error."""
    ask(change, by, **how)
    tasks.apply_change(str(change.pk))
    return scheduling.outcome(change, seconds=0)


def work_off() -> None:
    """Run the workers until no change is due."""
    for _ in range(100):
        tasks.back_up_gateways()
        due = Change.objects.filter(state="scheduled").values_list("pk", flat=True)
        if not any(tasks.apply_change(str(pk)) for pk in due):
            return


def while_working(request: Callable[[], str]) -> str:
    """Make a blocking request in a thread while running the worker.

    Returns its answer.
    """
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(request)
        while not answer.done():
            work_off()
            with suppress(TimeoutError):
                answer.result(timeout=0.2)
        return answer.result()


@dataclass(frozen=True)
class Desk:
    """Stages and applies changes of one feature on a vendor's stand-in."""

    feature: Feature
    device: Any
    gateway: Gateway
    by: User

    def stage(self, operation: str, payload: Any = None, target: str = "") -> Change:
        return changes.stage(
            self.gateway, feature=self.feature, operation=operation, payload=payload or {},
            target_id=target, by=self.by,
        )  # fmt: skip

    def apply(self, change: Change) -> Change:
        return applied(change, self.by)

    def do(self, operation: str, payload: Any = None, target: str = "") -> Change:
        return self.apply(self.stage(operation, payload, target))

    def undo(self, change: Change) -> Change:
        back = self.apply(changes.plan_inverse(change, by=self.by))
        change.refresh_from_db()
        assert (back.state, change.state) == ("applied", "rolled_back")
        return back


@contextmanager
def at_a_desk(
    key: str, by: User, *, is_binary: bool = False, version: str = ""
) -> Iterator[Desk]:
    feature = FEATURES[key]
    with serving(VENDORS[feature.vendor](version=version)) as device:
        url = f"http://127.0.0.1:{device.api_port}/api" if is_binary else device.url  # type: ignore[attr-defined]
        gateway = factories.gateway(
            factories.organization(), url, vendor=feature.vendor, key=device.key,
            secret=device.secret,
        )  # fmt: skip
        yield Desk(feature, device, gateway, by)
        assert not device.faults, device.faults
