"""Services that run on a balena device, read from the device."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.accounts.models import User
from controller.base.errors import Refused
from supervisor_proxy.models import Supervisor
from supervisor_proxy.rules.call_execution import ask
from supervisor_proxy.rules.call_requests import match_route


@dataclass(frozen=True)
class Service:
    name: str
    number: int
    image: int
    app: int
    status: str
    started: str


@dataclass(frozen=True)
class Running:
    """What a device runs: its release, empty if it names none, and its services."""

    release: str = ""
    services: tuple[Service, ...] = ()


def running_services(user: User, supervisor: Supervisor) -> Running:
    """Return what the device runs; nothing if it is away or may not be asked."""
    wanted = match_route(supervisor.flavor, method="GET", path="/v2/state/status")
    try:
        answer = ask(user, supervisor, wanted).answer
    except Refused:
        return Running()
    if answer is None or not answer.is_good or not isinstance(answer.value, Mapping):
        return Running()
    return Running(str(answer.value.get("release") or ""), tuple(_services(answer.value)))


def _services(told: Mapping[str, Any]) -> Iterator[Service]:
    containers = told.get("containers")
    for one in containers if isinstance(containers, list) else ():
        number, image, app = (one.get(name) for name in ("serviceId", "imageId", "appId"))
        if isinstance(number, int) and isinstance(image, int) and isinstance(app, int):
            texts = (str(one.get(name, "")) for name in ("serviceName", "status", "createdAt"))
            name, status, started = texts
            yield Service(name, number, image, app, status, started)
