"""Endpoints of the agent on a VPN server: checksum and download."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from controller.base.downloads import archive_response
from controller.dialects.agent import agent_view, parameter, text
from controller.vpn import rules


@agent_view("GET")
def checksum(request: HttpRequest, vpn: UUID) -> HttpResponse:
    return text(rules.poll(vpn, parameter(request.GET, "key")))


@agent_view("GET")
def download_config(request: HttpRequest, vpn: UUID) -> HttpResponse:
    return archive_response(*rules.download(vpn, parameter(request.GET, "key")))
