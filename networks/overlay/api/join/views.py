"""Endpoints of the join client on devices: join, register, poll, leave."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from controller.dialects.husarnet import View
from networks.overlay.api.views import body
from networks.overlay.models import Node
from networks.overlay.rules import join_codes, plans, presence
from networks.overlay.rules.join_codes import JoinResult

ACCEPTED = 202
MOST_HANDSHAKES = 5000
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
        """Return the device's configuration if it is newer than the device's revision.

        ``handshakes`` takes the output of ``wg show latest-handshakes``, which proves
        direct paths.
        """
        node = self.node(request)
        with transaction.atomic():
            join_codes.record_heartbeat(node)
            seen = str(body(request).get("handshakes") or "")
            presence.note_handshakes(node, read_handshakes(seen))
        node.refresh_from_db()
        if str(body(request).get("revision", "")) == str(node.revision):
            return HttpResponse("same\n", content_type="text/plain")
        return HttpResponse(join_codes.document(node), content_type="text/plain")


def read_handshakes(text: str) -> dict[str, int]:
    """Parse `wg show latest-handshakes` into {public key: Unix time}."""
    found = {}
    for line in text.splitlines()[:MOST_HANDSHAKES]:
        key, _, at = line.partition("\t")
        if at.isascii() and at.isdecimal() and len(at) < len(str(2**40)):
            found[key] = int(at)
    return found


class LeaveView(DeviceView):
    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        join_codes.leave(self.node(request))
        return Response({"status": "ok"})


@require_safe
def client(request: HttpRequest) -> HttpResponse:
    """Serve the join client: ``curl -O https://…/api/join/muster-join``."""
    path = Path(settings.BASE_DIR, "agents", "muster-join")
    return HttpResponse(path.read_bytes(), content_type="text/x-shellscript")
