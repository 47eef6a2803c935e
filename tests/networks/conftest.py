from collections.abc import Callable, Iterator
from typing import Any

import pytest

from controller.accounts.models import User
from networks.gateways.engine.features import FEATURES
from networks.gateways.models import Change, Gateway
from networks.gateways.rules import changes
from tests import factories
from tests.fleet.opnsense import OPNsense, opnsense


@pytest.fixture
def writes(settings: Any) -> Any:
    """Allow writes to gateways on loopback, and wait for as long as a busy machine needs."""
    settings.ADAPTER_READ_ONLY = False
    settings.MUSTER_LOCAL_GATEWAYS = True
    settings.MUSTER_GATEWAY_SECONDS = 20
    settings.MUSTER_GATEWAY_SETTLE_SECONDS = 0
    settings.MUSTER_GATEWAY_EFFECT_SECONDS = 0.01
    settings.MUSTER_APPLY_WAIT_SECONDS = 0
    return settings


@pytest.fixture
def device() -> Iterator[OPNsense]:
    with opnsense() as server:
        yield server


@pytest.fixture
def gateway(db: Any, device: OPNsense) -> Gateway:
    return factories.gateway(factories.organization(), device.url)


@pytest.fixture
def staged(gateway: Gateway, admin: User) -> Callable[..., Change]:
    """Return a function that stages a change, by default of a static route."""

    def stage(operation: str, feature: str = "", **values: Any) -> Change:
        payload = values.pop("payload", {})
        return changes.stage(
            values.pop("gateway", gateway),
            feature=FEATURES[feature or "opnsense.routing.static_route"],
            operation=operation, payload=payload, by=values.pop("by", admin), **values,
        )  # fmt: skip

    return stage
