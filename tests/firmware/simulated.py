"""Devices in memory that lose connections, and workers that are killed."""

import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from controller.base.errors import OutcomeUnknown, Unreachable
from controller.connections.drivers.contract import HostKey


class Killed(BaseException):
    """End of a worker, in the middle of whatever it did."""


class SimulatedDevice(ABC):
    """Device that can be away, lose a connection, or see its worker killed."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.boot = chance, uuid4().hex
        self.is_away = self.is_killing = self.is_flaky = False
        self.orders = 0

    def connect(self, _connection: Any, _gate: Any) -> Any:
        device = self

        class Connect:
            host_key = HostKey("ssh-ed25519", "AAAA")

            @asynccontextmanager
            async def _open(self) -> AsyncIterator[Any]:
                device.fail()
                if device.is_away:
                    raise Unreachable("It does not answer.")
                yield device.shell()

            def __call__(self) -> Any:
                return self._open()

        return Connect()

    @abstractmethod
    def shell(self) -> Any:
        """Return a shell that follows the driver's commands."""

    def fail(self) -> None:
        if self.is_killing and self.chance.random() < 0.12:
            raise Killed
        if self.is_flaky and self.chance.random() < 0.1:
            raise OutcomeUnknown("The connection was lost.")
