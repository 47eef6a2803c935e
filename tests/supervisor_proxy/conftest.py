from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.fleet.balena import BalenaSupervisor
from tests.fleet.http import Supervisors
from tests.fleet.ports import closed_ports


@pytest.fixture(autouse=True)
def _loopback_is_dialled(settings: Any) -> None:
    settings.MUSTER_SUPERVISOR_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def run() -> Iterator[Callable[..., Any]]:
    """Start stand-ins: ``run("1.5.0")``, or ``run(*devices)``."""
    with ExitStack() as stack:

        def start(*devices: Any) -> Any:
            made = [
                BalenaSupervisor(device) if isinstance(device, str) else device
                for device in devices or ["19.0.5"]
            ]
            stack.enter_context(Supervisors(*made))
            return made[0] if len(made) == 1 else made

        yield start


@pytest.fixture
def closed() -> Iterator[list[int]]:
    """Return ports of unreachable devices."""
    with closed_ports(10) as ports:
        yield ports


@pytest.fixture
def balena(run: Callable[..., BalenaSupervisor]) -> BalenaSupervisor:
    """Start a current balena supervisor."""
    return run()
