"""Endpoints of the join client on devices: join, register, poll, leave."""

import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import Throttled
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from controller.dialects import rate_limit
from controller.dialects.husarnet import View
from networks.overlay.api.views import body
from networks.overlay.engine import ways_lines
from networks.overlay.models import Node
from networks.overlay.rules import (
    direct_path_reports,
    direct_paths,
    join_codes,
    plans,
    renewal_links,
)
from networks.overlay.rules.join_codes import JoinResult

ACCEPTED = 202
NO_CONTENT = 204
# Reports of one agent per minute.
MOST_REPORTS = 240
TOKEN_KEYWORD = "device "  # noqa: S105 - the word before it


class DeviceView(View):
    """Endpoint for devices, which authenticate by a join code or a device token."""

    authentication_classes = []
    permission_classes = [AllowAny]

    def node(self, request: Request) -> Node:
        header = request.headers.get("authorization", "")
        by_header = header[:7].lower() == TOKEN_KEYWORD
        return join_codes.node_of_token(header[7:].strip() if by_header else "")


def as_told(joined: JoinResult) -> dict[str, Any]:
    hub = plans.relay()
    return {
        "status": "ok",
        "device-id": joined.node.address,
        **({"device-token": joined.token} if joined.token else {}),
        "name": joined.node.name,
        "relay": {
            "address": hub.address, "public_key": hub.public_key, "endpoint": hub.endpoint,
        },
        "poll": settings.MUSTER_JOIN_POLL_SECONDS,
    }  # fmt: skip


class JoinView(DeviceView):
    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        """Join a network with a join code."""
        data = body(request)
        joined = join_codes.join(
            code=data.get("code"),
            public_key=data.get("public_key"),
            hostname=data.get("hostname") or "",
            token=str(data.get("token") or data.get("device_token") or ""),
        )
        told = as_told(joined)
        if joined.member is not None and joined.member.state == joined.member.State.PENDING:
            return Response(told | {"status": "pending"}, status=ACCEPTED)
        return Response(told)


class RegisterView(DeviceView):
    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        """Register an unowned device and return its claim link."""
        data = body(request)
        joined = join_codes.register(
            public_key=data.get("public_key"),
            hostname=data.get("hostname") or "",
            token=str(data.get("token") or ""),
        )
        base = settings.MUSTER_PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
        return Response(as_told(joined) | {"link": join_codes.websetup_link(joined, base)})


class ConfigView(DeviceView):
    @extend_schema(exclude=True)
    def post(self, request: Request) -> HttpResponse:
        """Return the device's configuration if it is newer than the device's revision."""
        node = self.node(request)
        join_codes.record_heartbeat(node)
        if str(body(request).get("revision", "")) == str(node.revision):
            return HttpResponse("same\n", content_type="text/plain")
        return HttpResponse(join_codes.document(node), content_type="text/plain")


class WaysView(DeviceView):
    @extend_schema(exclude=True)
    def post(self, request: Request) -> HttpResponse:
        """Record an agent's report about direct paths, and answer with changes.

        ``report`` has lines, ``seen`` names the last answer. Answers 204 if nothing is new;
        with ``?wait=1`` the web server then holds the question until something is.
        """
        node = self.node(request)
        check_pace(node)
        data = body(request)
        join_codes.record_heartbeat(node)
        report = ways_lines.read(str(data.get("report") or ""), time.time())
        direct_path_reports.receive(node, report)
        text = direct_paths.ways_text(node)
        if text.split(maxsplit=2)[1] == str(data.get("seen", "")):
            waiting = {"Muster-Wait": f"{node.pk} {direct_paths.wait_seconds()}"}
            return HttpResponse(status=NO_CONTENT, headers=waiting)
        return HttpResponse(text, content_type="text/plain")


def check_pace(node: Node) -> None:
    """Raise Throttled if the node's agent reports too often."""
    verdict = rate_limit.limiter().hit(f"ways:{node.pk}", MOST_REPORTS)
    if verdict is not None and not verdict.allowed:
        raise Throttled(verdict.retry_after)


class LeaveView(DeviceView):
    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        join_codes.leave(self.node(request))
        return Response({"status": "ok"})


class RenewalView(DeviceView):
    """``/api/join/renewal/<token>/``: the present configuration of a static member."""

    @extend_schema(exclude=True)
    def get(self, request: Request, token: str) -> HttpResponse:
        """Return it without a key: the device keeps its own."""
        return HttpResponse(renewal_links.present_text(token), content_type="text/plain")

    @extend_schema(exclude=True)
    def post(self, request: Request, token: str) -> HttpResponse:
        """Return it with a new key. The old one ends at once."""
        _, text = renewal_links.renew(token)
        return HttpResponse(text, content_type="text/plain")


@require_safe
def client(request: HttpRequest) -> HttpResponse:
    """Serve the join client: ``curl -O https://…/api/join/muster-join``."""
    path = Path(settings.BASE_DIR, "agents", "muster-join")
    return HttpResponse(path.read_bytes(), content_type="text/x-shellscript")
