"""Calls as clients of balena make them: of one device, of an application, now or later."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils.timezone import now

from controller.accounts.models import User
from controller.base.errors import NotFound, Refused
from controller.base.leases import FREE, assign
from controller.connections.rules import terminals
from supervisor_proxy.engine.routes import CallRequest
from supervisor_proxy.engine.versions import older
from supervisor_proxy.models import Supervisor, SupervisorBatch, SupervisorCall
from supervisor_proxy.rules.batch_calls import ask_many, ask_many_later, visible
from supervisor_proxy.rules.call_confirmation import check_confirmed
from supervisor_proxy.rules.call_execution import ask
from supervisor_proxy.rules.call_requests import (
    CallJob,
    check_permission,
    match_route,
    record,
    record_refusals,
    refuse,
)

BALENA = Supervisor.Flavor.BALENA
# Batches above this size are made by a worker.
MOST_AT_ONCE = 100
NO_DEVICE = "No online device(s) found"


@dataclass(frozen=True)
class Asked:
    """A client's request. ``body`` has ``method``, ``data``, ``queue`` and who is called."""

    path: str
    body: Mapping[str, Any]
    query: Mapping[str, str]
    # Path before percent-decoding, if the server provides it: it may contain encoded slashes.
    raw_path: str = ""
    confirmation: str = ""
    is_async: bool = False

    @property
    def names_one_device(self) -> bool:
        return "deviceId" in self.body or "uuid" in self.body

    @property
    def queue_for(self) -> timedelta | None:
        return timedelta(seconds=self.body["expires"]) if self.body["queue"] else None


@dataclass(frozen=True)
class PortalTerminal:
    """Terminal of the portal in place of the device's own; no device if it was closed."""

    device_id: UUID | None


def make_call(
    user: User, asked: Asked
) -> CallJob | list[CallJob] | SupervisorBatch | PortalTerminal:
    """Make the call, and return its job, one job for each device, or the batch of a worker.

    Raises Refused if it is not confirmed, not permitted or unknown, and NotFound without
    devices.
    """
    supervisors = find_supervisors(user, asked.body)
    wanted = match_call(asked, supervisors)
    if asked.names_one_device and lacks_terminal(wanted, supervisors[0]):
        return open_portal_terminal(user, wanted, supervisors[0])
    name = supervisors[0].uuid if asked.names_one_device else str(asked.body["appId"])
    check_confirmed(wanted, name=name, confirmation=asked.confirmation)
    if asked.is_async or len(supervisors) > MOST_AT_ONCE:
        return ask_many_later(user, supervisors, wanted, queue_for=asked.queue_for)
    if asked.names_one_device or len(supervisors) == 1:
        return ask(user, supervisors[0], wanted, queue_for=asked.queue_for)
    if asked.body["queue"]:
        return ask_many_later(user, supervisors, wanted, queue_for=asked.queue_for)
    return ask_many(user, supervisors, wanted)


def find_supervisors(user: User, body: Mapping[str, Any]) -> list[Supervisor]:
    """Return the devices visible to the user that match all given identifiers."""
    wanted: dict[str, Any] = {"flavor": BALENA, "device__is_deactivated": False}
    if "deviceId" in body:
        wanted["pk"] = body["deviceId"]
    if "uuid" in body:
        wanted["uuid"] = body["uuid"]
    if "appId" in body:
        wanted["app_id"] = body["appId"]
    found = visible(user, **wanted)
    if not found:
        raise NotFound(NO_DEVICE, code="no_device")
    return found


def match_call(asked: Asked, supervisors: list[Supervisor]) -> CallRequest:
    """Match the request to a route. An unknown call is recorded for its devices."""
    try:
        return match_route(
            BALENA,
            method=asked.body["method"],
            path=asked.path,
            raw=asked.raw_path,
            query=asked.query,
            data=asked.body["data"],
        )
    except Refused as refusal:
        record_refusals(supervisors, asked.body["method"], asked.path, refusal)
        raise


def lacks_terminal(wanted: CallRequest, supervisor: Supervisor) -> bool:
    """Return whether a terminal is requested of a device that has none itself."""
    route = wanted.route
    is_tty = route.permission == "terminal"
    return is_tty and not older(supervisor.version, route.until or (), unknown=True)


def open_portal_terminal(
    user: User, wanted: CallRequest, supervisor: Supervisor
) -> PortalTerminal:
    """Offer the portal's own terminal instead, which requires a login, or close it."""
    record_portal_call(user, wanted, supervisor)
    if wanted.route.name == "despawn-tty":
        terminals.close_own(user, supervisor.device)
        return PortalTerminal(None)
    terminals.may_open(user, supervisor.device)
    terminals.connection_for(supervisor.device)
    return PortalTerminal(supervisor.device_id)


def record_portal_call(user: User, wanted: CallRequest, supervisor: Supervisor) -> None:
    """Record the terminal request as a call, although nothing reaches the device."""
    call = record(supervisor, wanted)
    try:
        check_permission(user, wanted, supervisor)
    except Refused as refusal:
        refuse(CallJob(supervisor, wanted, call), refusal)
        raise
    call.state, call.ended = SupervisorCall.State.SUCCEEDED, now()
    assign(call, FREE)
    call.reason = "Answered by the portal."
    call.save()


def shows_keys(user: User, job: CallJob) -> bool:
    """Return whether the user may see this device's keys."""
    return user.has_perm_on("supervisor:secret", job.supervisor)
