"""``POST /supervisor/<call>``, OData look-ups before a call, and device reports."""

import json
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.authentication import get_authorization_header
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.parsers import FormParser
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.models import User
from controller.base.errors import Refused, Unreachable
from controller.dialects.balena import LenientJSONParser, View, relay_response, require_user
from supervisor_proxy.api.balena.serializers import (
    AskSerializer,
    entry,
    operation,
)
from supervisor_proxy.engine.answers import TEXT
from supervisor_proxy.engine.routes import LARGEST_DATA, MASK
from supervisor_proxy.models import SupervisorBatch, SupervisorCall
from supervisor_proxy.rules import idempotency
from supervisor_proxy.rules.balena_calls import (
    NO_DEVICE,
    Asked,
    PortalTerminal,
    make_call,
    shows_keys,
)
from supervisor_proxy.rules.call_requests import (
    CallJob,
)
from supervisor_proxy.rules.supervisors import device_of_key, report


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
        with idempotency.claimed(require_user(request), key, text) as row:
            if row.status is not None:
                again = relay_response(row.status, row.content_type, row.body.encode())
                again["Idempotent-Replayed"] = "true"
                return again
            response = answer(request, path, asking)
            idempotency.end(row, **stored_form(response))
        return response


def stored_form(response: HttpResponse | Response) -> dict[str, Any]:
    if isinstance(response, Response):
        body, kind = json.dumps(response.data, default=str), "application/json"
    else:
        body, kind = response.content.decode(), response.get("Content-Type", "")
    return {"status": response.status_code, "content_type": kind, "body": body}


def answer(request: Request, path: str, asking: dict[str, Any]) -> HttpResponse | Response:
    """Make the call, and return its outcome in balena's words."""
    user = require_user(request)
    asked = Asked(
        path,
        asking,
        {name: str(value) for name, value in request.query_params.items()},
        raw_path=str(request._request.META.get("RAW_PATH", "")),
        confirmation=request.headers.get("X-Confirm", ""),
        is_async="respond-async" in request.headers.get("Prefer", ""),
    )
    match make_call(user, asked):
        case PortalTerminal(device_id):
            return portal_terminal(request, device_id)
        case SupervisorBatch() as batch:
            return of_batch(batch)
        case CallJob() as job:
            return of_one(user, job)
        case jobs:
            shown = [entry(job, shows_secret=shows_keys(user, job)) for job in jobs]
            return Response(shown, status=207)


def portal_terminal(request: Request, device_id: UUID | None) -> HttpResponse:
    """Return the URL of the portal's terminal, or OK if it was closed."""
    if device_id is None:
        return relay_response(200, TEXT, b"OK", speaker="portal")
    page = f"/admin/connections/terminal/on/{device_id}/"
    home = settings.MUSTER_PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
    return relay_response(200, TEXT, f"{home}{page}".encode(), speaker="portal")


def of_batch(batch: SupervisorBatch) -> Response:
    url = f"/api/v1/controller/supervisor-batch/{batch.pk}/"
    return Response({"id": str(batch.pk), "url": url}, status=202, headers={"Location": url})


def of_one(user: User, job: CallJob) -> HttpResponse | Response:
    if job.call.state == SupervisorCall.State.QUEUED:
        where = {"Location": f"/api/v1/controller/supervisor-call/{job.call.pk}/"}
        return Response(operation(job.call), status=202, headers=where)
    if job.refusal is not None:
        raise job.refusal
    found = job.answer
    if found is None:
        raise Unreachable(NO_DEVICE, code="offline")
    body = b"" if job.wish.head else found.body
    is_key = found.is_good and job.wish.route.name == "regenerate-api-key"
    if is_key and not shows_keys(user, job):
        body = MASK.encode()
    response = relay_response(found.status, found.content_type, body)
    response["X-Supervisor-Call"] = str(job.call.pk)
    return response


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
