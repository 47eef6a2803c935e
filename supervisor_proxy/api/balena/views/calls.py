"""``POST /supervisor/<call>``, OData look-ups before a call, and device reports."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.authentication import get_authorization_header
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.parsers import FormParser
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.models import User
from controller.base.errors import NotFound, Refused, Unreachable
from controller.base.leases import FREE, assign
from controller.connections.rules import terminals
from controller.dialects.balena import LenientJSONParser, View, relay_response, require_user
from supervisor_proxy.api.balena.serializers import (
    AskSerializer,
    entry,
    operation,
)
from supervisor_proxy.engine.answers import TEXT
from supervisor_proxy.engine.routes import LARGEST_DATA, MASK, CallRequest
from supervisor_proxy.engine.versions import older
from supervisor_proxy.models import Supervisor, SupervisorCall
from supervisor_proxy.rules import idempotency
from supervisor_proxy.rules.batch_calls import ask_many, ask_many_later, visible
from supervisor_proxy.rules.call_execution import ask
from supervisor_proxy.rules.call_requests import (
    CallJob,
    check_permission,
    match_route,
    record,
    record_refusals,
    refuse,
)
from supervisor_proxy.rules.supervisors import device_of_key, report

BALENA = Supervisor.Flavor.BALENA
# Batches above this size are made by a worker.
MOST_AT_ONCE = 100
NO_DEVICE = "No online device(s) found"


class ProxyView(View):
    """Proxy of every supervisor call to any device, with the portal's own token."""

    permission_classes = [IsAuthenticated]
    parser_classes = [LenientJSONParser, FormParser]

    @extend_schema(
        operation_id="supervisor_call",
        request=AskSerializer,
        responses={
            200: OpenApiTypes.ANY, 202: OpenApiTypes.ANY, 204: None, 207: OpenApiTypes.ANY,
        },
        parameters=[
            OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER),
            OpenApiParameter("X-Confirm", str, OpenApiParameter.HEADER),
            OpenApiParameter("Prefer", str, OpenApiParameter.HEADER),
        ],
    )  # fmt: skip
    def post(self, request: Request, path: str) -> HttpResponse | Response:
        """Forward a call and return the device's answer; for ``appId``, a list (207)."""
        serializer = AskSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asking = serializer.validated_data
        if len(json.dumps(asking["data"])) > LARGEST_DATA:
            raise Refused({"data": [f"{LARGEST_DATA} bytes are the most."]})
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return answer(request, path, asking)
        text = json.dumps([path, asking], sort_keys=True, default=str)
        return once(require_user(request), key, text, lambda: answer(request, path, asking))


def once(
    user: User, key: str, text: str, work: Callable[[], HttpResponse | Response]
) -> HttpResponse | Response:
    row = idempotency.begin(user, key, text)
    if row.status is not None:
        again = relay_response(row.status, row.content_type, row.body.encode())
        again["Idempotent-Replayed"] = "true"
        return again
    try:
        response = work()
    except Refused:
        idempotency.give_up(row)
        raise
    if isinstance(response, Response):
        body, kind = json.dumps(response.data, default=str), "application/json"
    else:
        body, kind = response.content.decode(), response.get("Content-Type", "")
    idempotency.end(row, status=response.status_code, content_type=kind, body=body)
    return response


def answer(request: Request, path: str, asking: dict[str, Any]) -> HttpResponse | Response:
    user = require_user(request)
    supervisors = chosen(user, asking)
    wanted = wanted_of(request, path, asking, supervisors)
    is_one = "deviceId" in asking or "uuid" in asking
    if is_one and not_its_own(wanted, supervisors[0]):
        return own_terminal(request, user, wanted, supervisors[0])
    confirmed(request, wanted, supervisors[0].uuid if is_one else str(asking["appId"]))
    if "respond-async" in request.headers.get("Prefer", "") or len(supervisors) > MOST_AT_ONCE:
        return later(user, supervisors, wanted, asking)
    if is_one or len(supervisors) == 1:
        wait = timedelta(seconds=asking["expires"]) if asking["queue"] else None
        return of_one(user, ask(user, supervisors[0], wanted, queue_for=wait))
    if asking["queue"]:
        return later(user, supervisors, wanted, asking)
    jobs = ask_many(user, supervisors, wanted)
    return Response([entry(job, shows_secret=shows(user, job)) for job in jobs], status=207)


def not_its_own(wanted: CallRequest, supervisor: Supervisor) -> bool:
    """Return whether a terminal is requested of a device that has none itself."""
    route = wanted.route
    is_tty = route.permission == "terminal"
    return is_tty and not older(supervisor.version, route.until or (), unknown=True)


def own_terminal(
    request: Request, user: User, wanted: CallRequest, supervisor: Supervisor
) -> HttpResponse:
    """Return the URL of the portal's own terminal instead, which requires a login."""
    record_own(user, wanted, supervisor)
    if wanted.route.name == "despawn-tty":
        terminals.close_own(user, supervisor.device)
        return relay_response(200, TEXT, b"OK", speaker="portal")
    terminals.may_open(user, supervisor.device)
    terminals.connection_for(supervisor.device)
    page = f"/admin/connections/terminal/on/{supervisor.device_id}/"
    home = settings.MUSTER_PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
    return relay_response(200, TEXT, f"{home}{page}".encode(), speaker="portal")


def record_own(user: User, wanted: CallRequest, supervisor: Supervisor) -> None:
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


def chosen(user: User, asking: dict[str, Any]) -> list[Supervisor]:
    """Return the devices visible to the user that match all given identifiers."""
    wanted: dict[str, Any] = {"flavor": BALENA, "device__is_deactivated": False}
    if "deviceId" in asking:
        wanted["pk"] = asking["deviceId"]
    if "uuid" in asking:
        wanted["uuid"] = asking["uuid"]
    if "appId" in asking:
        wanted["app_id"] = asking["appId"]
    found = visible(user, **wanted)
    if not found:
        raise NotFound(NO_DEVICE, code="no_device")
    return found


def wanted_of(
    request: Request, path: str, asking: dict[str, Any], supervisors: list[Supervisor]
) -> CallRequest:
    """Match the request to a route. An unknown call is recorded for its devices."""
    meta = request._request.META
    # Path before percent-decoding, if the server provides it: it may contain encoded slashes.
    raw = str(meta.get("RAW_PATH", ""))
    try:
        return match_route(
            BALENA,
            method=asking["method"],
            path=path,
            raw=raw,
            query={name: str(value) for name, value in request.query_params.items()},
            data=asking["data"],
        )
    except Refused as refusal:
        record_refusals(supervisors, asking["method"], path, refusal)
        raise


def confirmed(request: Request, wanted: CallRequest, name: str) -> None:
    serious = wanted.route.dangerous or wanted.forces
    if not (settings.MUSTER_SUPERVISOR_CONFIRM and serious):
        return
    if request.headers.get("X-Confirm", "") != name:
        raise Refused(
            f"Here, {wanted.path} is made only with the header X-Confirm: {name}.",
            code="confirm",
        )


def of_one(user: User, job: CallJob) -> HttpResponse | Response:
    if job.call.state == SupervisorCall.State.QUEUED:
        return Response(operation(job.call), status=202, headers=pointing(job.call))
    if job.refusal is not None:
        raise job.refusal
    found = job.answer
    if found is None:
        raise Unreachable(NO_DEVICE, code="offline")
    body = b"" if job.wish.head else found.body
    if found.is_good and job.wish.route.name == "regenerate-api-key" and not shows(user, job):
        body = MASK.encode()
    response = relay_response(found.status, found.content_type, body)
    response["X-Supervisor-Call"] = str(job.call.pk)
    return response


def shows(user: User, job: CallJob) -> bool:
    """Return whether the user may see this device's keys."""
    return user.has_perm_on("supervisor:secret", job.supervisor)


def pointing(call: SupervisorCall) -> dict[str, str]:
    return {"Location": f"/api/v1/controller/supervisor-call/{call.pk}/"}


def later(
    user: User, supervisors: list[Supervisor], wanted: CallRequest, asking: dict[str, Any]
) -> Response:
    wait = timedelta(seconds=asking["expires"]) if asking["queue"] else None
    batch = ask_many_later(user, supervisors, wanted, queue_for=wait)
    url = f"/api/v1/controller/supervisor-batch/{batch.pk}/"
    return Response({"id": str(batch.pk), "url": url}, status=202, headers={"Location": url})


class RestartView(View):
    """Restart of a device's application, by the URL that clients of 2019 use."""

    permission_classes = [IsAuthenticated]

    @extend_schema(exclude=True)
    def post(self, request: Request, pk: int) -> HttpResponse | Response:
        asking = {"deviceId": pk, "method": "POST", "data": None, "queue": False}
        return answer(request, "v1/restart", asking)


class RestartAllView(View):
    """How clients restart an application on all of its devices."""

    permission_classes = [IsAuthenticated]

    @extend_schema(exclude=True)
    def post(self, request: Request, pk: int) -> HttpResponse | Response:
        asking = {"appId": pk, "method": "POST", "data": {"appId": pk}, "queue": False}
        return answer(request, "v1/restart", asking)


class BearsDeviceKey(BasePermission):
    """Allow devices, identified and authenticated by their own key."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method != "PATCH":
            # What a report is not: whoever asks, their key is not what is wrong.
            raise MethodNotAllowed(request.method or "")
        word, _, key = get_authorization_header(request).decode("latin-1").partition(" ")
        view.device = device_of_key(key.strip() if word.lower() == "bearer" else "")
        return True


class ReportView(View):
    """Reports of devices: state, and port and key of the supervisor."""

    authentication_classes = []
    permission_classes = [BearsDeviceKey]
    device: Any

    @extend_schema(exclude=True)
    def patch(self, request: Request, uuid: str | None = None) -> HttpResponse:
        told = request.data if isinstance(request.data, dict) else {}
        of_devices = {uuid: told.get("local", {})} if uuid else told
        if len(of_devices) != 1:
            raise Refused("A report is of one device, under its UUID.")
        ((name, facts),) = of_devices.items()
        if not isinstance(facts, dict):
            raise Refused({str(name): ["An object is expected."]})
        report(self.device, uuid=str(name), facts=facts)
        return relay_response(200, "", b"")
