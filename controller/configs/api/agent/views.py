"""Endpoints of the openwisp-config agent, and enrollment."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from controller.base.downloads import archive_response
from controller.base.errors import NotPermitted, Refused
from controller.configs.rules import agent, enrollment
from controller.devices.models import Device
from controller.dialects.agent import agent_view, parameter, text

NUL = "\x00"
SIGNATURE = b"&signature="


def told(request: HttpRequest) -> dict[str, str]:
    """Return the posted values, one per name, without NUL bytes."""
    return {name: str(value).replace(NUL, "") for name, value in request.POST.items()}


@agent_view("POST")
def register(request: HttpRequest) -> HttpResponse:
    facts = told(request)
    for name in ("secret", "name", "mac_address", "backend"):
        parameter(facts, name)
    done = agent.register(facts.pop("secret"), facts)
    return registered(done.device, is_new=done.is_new)


def registered(device: Device, *, is_new: bool) -> HttpResponse:
    return text(
        "registration-result: success\n"
        f"uuid: {device.pk.hex}\n"
        f"key: {device.key}\n"
        f"hostname: {device.name}\n"
        f"is-new: {int(is_new)}\n",
        201,
    )


@agent_view("GET")
def challenge(request: HttpRequest) -> HttpResponse:
    return text(enrollment.challenge())


@agent_view("POST")
def enroll(request: HttpRequest) -> HttpResponse:
    """Request enrollment with the device's own key; 202 until a user has decided."""
    message, found, _ = request.body.partition(SIGNATURE)
    if not found:
        raise Refused('error: missing required parameter "signature", which comes last')
    facts = told(request)
    for name in ("organization", "name", "mac_address", "public_key", "challenge"):
        parameter(facts, name)
    row = enrollment.request_enrollment(
        facts,
        message=message,
        signature=facts["signature"],
        address=request.META.get("REMOTE_ADDR") or None,
    )
    if row.state == row.State.REJECTED:
        raise NotPermitted("error: a person has rejected this device")
    if row.device is None:
        return text(f"enrollment: pending\nfingerprint: {row.fingerprint}\n", 202)
    if row.device.is_deactivated:
        raise NotPermitted("error: device deactivated")
    return registered(row.device, is_new=False)


@agent_view("GET")
def checksum(request: HttpRequest, device: UUID) -> HttpResponse:
    key = parameter(request.GET, "key")
    return text(agent.poll(device, key, request.GET.get("management_ip", "")))


@agent_view("GET")
def download_config(request: HttpRequest, device: UUID) -> HttpResponse:
    return archive_response(*agent.download(device, parameter(request.GET, "key")))


@agent_view("POST")
def report_status(request: HttpRequest, device: UUID) -> HttpResponse:
    facts = told(request)
    status = agent.report(
        device,
        parameter(facts, "key"),
        parameter(facts, "status"),
        facts.get("error_reason", ""),
    )
    return text(f"report-result: success\ncurrent-status: {status}\n")


@agent_view("POST")
def update_info(request: HttpRequest, device: UUID) -> HttpResponse:
    facts = told(request)
    agent.update_info(device, parameter(facts, "key"), facts)
    return text("update-info: success")
