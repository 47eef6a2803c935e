from collections.abc import Callable
from typing import Any

import pytest

from controller.accounts.models import Organization
from supervisor_proxy.models import Supervisor
from tests import factories
from tests.fleet.hassio import HassioSupervisor
from tests.supervisor_proxy.conftest import _loopback_is_dialled, run

__all__ = ["_loopback_is_dialled", "run"]


@pytest.fixture
def home(run: Callable[..., Any], organization: Organization) -> Callable[..., Any]:
    """Create a stand-in of this version and its supervisor row: ``home("195")``."""

    def home(number: str = "2026.08.0", **values: Any) -> tuple[HassioSupervisor, Supervisor]:
        device = run(HassioSupervisor(number))
        row = factories.supervisor(device, organization, flavor="hassio", app_id=None, **values)
        return device, row

    return home
