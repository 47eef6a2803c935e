"""Proxy of Home Assistant supervisors: ``…/device/<id>/hassio/<call>``."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.models import User
from controller.base.errors import NotFound, Refused, Unreachable
from controller.dialects.balena import require_user
from controller.dialects.hassio import ORIGIN_HEADER, View, relay_response
from controller.dialects.negotiation import OneFormat
from supervisor_proxy.api.serializers import job as shown_job
from supervisor_proxy.engine.hassio import ENTRIES, LONG, RANGE, STREAMS, as_served
from supervisor_proxy.engine.multipart import first_part
from supervisor_proxy.engine.routes import LARGEST_DATA, CallRequest, parse_request
from supervisor_proxy.models import Supervisor, SupervisorCall
from supervisor_proxy.rules.batch_calls import ask_later, visible
from supervisor_proxy.rules.call_execution import ask
from supervisor_proxy.rules.call_requests import CallJob, match_route, record_refusals
from supervisor_proxy.rules.streamed_transfers import (
    DeviceAnswered,
    backup_of,
    download,
    follow,
    upload,
)

AnyResponse = HttpResponse | StreamingHttpResponse | Response
HASSIO = Supervisor.Flavor.HASSIO
BLOCK = 256 * 1024
UPLOAD = re.compile(r"(?:snapshots|backups)/new/upload/?")
DOWNLOAD = re.compile(r"(?:snapshots|backups)/([A-Za-z0-9_-]{1,128})/download/?")
FOLLOW = re.compile(
    r"[a-z]+(?:/[A-Za-z0-9_-]{1,128})?/logs(?:/(?:boots|identifiers)/[^/]{1,128}){0,2}/follow/?"
)
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,70}")
STDIN = re.compile(r"addons/[^/]+/stdin/?")
JOB = re.compile(r"jobs/([0-9a-f]{32})/?")


class HassioView(View):
    """Proxy of Home Assistant supervisor calls, by the paths of 2020 and today's."""

    permission_classes = [IsAuthenticated]
    parser_classes = []
    # Supervisors answer logs as text and all else as JSON, whatever a client says it accepts.
    content_negotiation_class = OneFormat
    http_method_names = ["get", "post", "put", "delete"]

    def handle(self, request: Request, device_id: UUID, path: str) -> AnyResponse:
        user, path = require_user(request), as_served(path)
        supervisor = supervisor_of(user, device_id)
        try:
            if (streams := streamed(request, user, supervisor, path)) is not None:
                return streams
        except DeviceAnswered as told:
            told.job.refusal = None
            return relay(told.job)
        own = own_job(supervisor, path)
        if own is not None and request.method == "GET":
            return portal({"result": "ok", "data": shown_job(own)})
        wanted = wanted_of(request, path, supervisor)
        if wanted.route.kind == "text":
            wanted = replace(wanted, entries=entries_of(request))
        if wanted.route.seconds > LONG:
            call = ask_later(user, supervisor, wanted)
            return portal({"result": "ok", "data": {"job_id": call.pk.hex}})
        return answer(user, supervisor, wanted)

    @extend_schema(operation_id="hassio_read", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, device_id: UUID, path: str) -> AnyResponse:
        return self.handle(request, device_id, path)

    @extend_schema(
        operation_id="hassio_call", request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT
    )
    def post(self, request: Request, device_id: UUID, path: str) -> AnyResponse:
        return self.handle(request, device_id, path)

    @extend_schema(
        operation_id="hassio_put", request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT
    )
    def put(self, request: Request, device_id: UUID, path: str) -> AnyResponse:
        return self.handle(request, device_id, path)

    @extend_schema(operation_id="hassio_remove", request=None, responses=OpenApiTypes.OBJECT)
    def delete(self, request: Request, device_id: UUID, path: str) -> AnyResponse:
        return self.handle(request, device_id, path)


def portal(shown: dict[str, Any]) -> Response:
    return Response(shown, headers={ORIGIN_HEADER: "portal"})


def supervisor_of(user: User, device_id: UUID) -> Supervisor:
    found = visible(user, device=device_id, flavor=HASSIO, device__is_deactivated=False)
    if not found:
        raise NotFound("There is no such device, or none with a Home Assistant supervisor.")
    (supervisor,) = found
    return supervisor


def streamed(
    request: Request, user: User, supervisor: Supervisor, path: str
) -> HttpResponse | StreamingHttpResponse | None:
    """Stream backup uploads, downloads and followed logs; None for other calls."""
    if request.method == "POST" and UPLOAD.fullmatch(path):
        parts, size = sent_file(request)
        learn_version(user, supervisor)
        return relay(upload(user, supervisor, parts, size=size, query=query_of(request)))
    if request.method == "GET" and FOLLOW.fullmatch(path):
        learn_version(user, supervisor)
        wanted = parse_request(STREAMS, method="GET", path=path, query=query_of(request))
        log = follow(user, supervisor, replace(wanted, entries=entries_of(request)))
        return streaming(log, "text/plain; charset=utf-8")
    found = DOWNLOAD.fullmatch(path)
    if found is None or request.method != "GET":
        return None
    wanted = backup_of(found[1], query_of(request))
    learn_version(user, supervisor)
    given = request.headers.get("range", "")
    byte_range = given if RANGE.fullmatch(given) else ""
    stream = download(user, supervisor, wanted, byte_range=byte_range)
    response = streaming(stream.parts, "application/tar", status=stream.status)
    for name, value in (("Content-Length", stream.size), ("Content-Range", stream.byte_range)):
        if value:
            response[name] = value
    response["Content-Disposition"] = f'attachment; filename="{found[1]}.tar"'
    return response


def entries_of(request: Request) -> str:
    """Return which part of a log is asked for. Raises Refused if that cannot be passed on."""
    given = request.headers.get("range", "")
    if given and not ENTRIES.fullmatch(given):
        raise Refused("A part of a log is asked for by entries=… or realtime=… .")
    return given


def query_of(request: Request) -> dict[str, str]:
    return {name: str(value) for name, value in request.query_params.items()}


def streaming(parts: Iterable[bytes], kind: str, *, status: int = 200) -> StreamingHttpResponse:
    response = StreamingHttpResponse(parts, status=status, content_type=kind)
    response[ORIGIN_HEADER] = "device"
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def sent_file(request: Request) -> tuple[Iterable[bytes], int | None]:
    """Return the uploaded file as parts: the first of a form, or the body itself.

    The size is known only if the file is the body.
    """
    plain = request._request
    size = int(plain.META.get("CONTENT_LENGTH") or 0)
    if not size:
        raise Refused("The backup is expected as the body, or as the file of a form.")
    if not (plain.content_type or "").startswith("multipart/"):
        return iter(partial(plain.read, BLOCK), b""), size
    boundary = (plain.content_params or {}).get("boundary", "")
    if not BOUNDARY.fullmatch(boundary):
        raise Refused("The form has no boundary.")
    return first_part(plain.read, boundary.encode()), None


def learn_version(user: User, supervisor: Supervisor) -> None:
    """Read an unknown supervisor version first: paths and upload format depend on it."""
    if not supervisor.version:
        ask(user, supervisor, match_route(HASSIO, method="GET", path="/info"))


def own_job(supervisor: Supervisor, path: str) -> SupervisorCall | None:
    """Return the portal's own job if the path names one; devices have jobs, too."""
    found = JOB.fullmatch(path)
    if found is None:
        return None
    row: SupervisorCall | None = SupervisorCall.objects.filter(
        supervisor=supervisor, pk=UUID(found[1])
    ).first()
    return row


def wanted_of(request: Request, path: str, supervisor: Supervisor) -> CallRequest:
    method = request.method or "GET"
    meta = request._request.META
    try:
        body = body_of(request)
        is_raw = STDIN.fullmatch(path) is not None
        return match_route(
            HASSIO,
            method=method,
            path=path,
            raw=str(meta.get("RAW_PATH", "")),
            query=query_of(request),
            data=None if is_raw or method == "GET" else read_json(body),
            content=body if is_raw else b"",
        )
    except Refused as refusal:
        record_refusals([supervisor], method, path, refusal)
        raise


def body_of(request: Request) -> bytes:
    body = request._request.body
    if len(body) > LARGEST_DATA:
        raise Refused(f"A body has {LARGEST_DATA} bytes at most.")
    return body


def read_json(body: bytes) -> Any:
    """Parse JSON like supervisors do: ignoring the content type, empty means {}."""
    try:
        found = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        raise Refused("Invalid json") from None
    if not isinstance(found, dict):
        raise Refused("Invalid json")
    return found


def answer(user: User, supervisor: Supervisor, wanted: CallRequest) -> HttpResponse:
    if wanted.path != "/info":
        learn_version(user, supervisor)
    return relay(ask(user, supervisor, wanted))


def relay(job: CallJob) -> HttpResponse:
    if job.refusal is not None:
        raise job.refusal
    if job.answer is None:
        raise Unreachable("The device is away.", code="offline")
    response = relay_response(job.answer.status, job.answer.content_type, job.answer.body)
    response["X-Supervisor-Call"] = str(job.call.pk)
    return response
