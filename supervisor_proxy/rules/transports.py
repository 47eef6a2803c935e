"""Drivers by flavor and transport of a supervisor."""

from collections.abc import Mapping

from supervisor_proxy.drivers.agent import Agent
from supervisor_proxy.drivers.balena import Balena
from supervisor_proxy.drivers.contract import Driver, Streaming
from supervisor_proxy.drivers.core import Core
from supervisor_proxy.drivers.hassio import Hassio
from supervisor_proxy.models import Supervisor

HOMES: Mapping[str, Streaming] = {
    Supervisor.Transport.HTTP: Hassio(),
    Supervisor.Transport.AGENT: Agent(),
    Supervisor.Transport.CORE: Core(),
}
BALENA = Balena()


def driver_for(row: Supervisor) -> Driver:
    return BALENA if row.flavor == Supervisor.Flavor.BALENA else HOMES[row.transport]


def streaming_driver_for(row: Supervisor) -> Streaming:
    """Return the streaming driver. Home Assistant only; balena has no streams."""
    return HOMES[row.transport]
