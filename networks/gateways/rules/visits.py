"""Interactive connections to gateways: one at a time each, none to an offline one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from controller.base.circuit import circuit, refusal_of
from controller.base.database import release_connections
from controller.base.errors import Refused
from controller.base.redis_lock import turn
from controller.base.single_flight import single_flight
from networks.gateways.drivers.contract import Gateway as Connection
from networks.gateways.engine.features import Feature
from networks.gateways.models import Gateway
from networks.gateways.rules.gateway_connections import connect

# How long one visit may last, with all of its requests.
LONGEST_SECONDS = 60.0


@contextmanager
def visit(gateway: Gateway, *, rehearses: bool = False) -> Iterator[Connection]:
    """Connect while a user waits.

    Raises Unreachable at once if the gateway did not answer a moment ago, to a poll or to
    somebody else; Conflict if another visit takes too long.
    """
    if (known := refusal_of(gateway.circuit)) is not None:
        raise known
    release_connections()
    patience = settings.MUSTER_GATEWAY_SECONDS
    with (
        turn(f"visit:{gateway.pk}", seconds=patience, lasts=LONGEST_SECONDS),
        circuit(gateway.circuit),
        connect(gateway, rehearses=rehearses) as device,
    ):
        yield device


def read_live(gateway: Gateway, feature: Feature, *, most: int) -> list[dict[str, Any]]:
    """Read up to `most` objects of a feature from the gateway, without secrets.

    Concurrent callers share one read.
    """
    if feature.action:
        raise Refused(
            gettext("%(key)s is something to do: there is nothing to read.")
            % {"key": feature.key}
        )
    key = ("gateway", gateway.pk, feature.key, most)
    return single_flight(key, lambda: _read(gateway, feature, most))


def _read(gateway: Gateway, feature: Feature, most: int) -> list[dict[str, Any]]:
    with visit(gateway) as device:
        found = [(one, device.read(feature, one)) for one in device.ids(feature, {})[:most]]
    return [{"target_id": one, "values": row} for one, row in found if row is not None]
