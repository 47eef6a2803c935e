"""Pages behind links: claiming a device and accepting an invitation."""

from typing import Any

from django.contrib.admin import site
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.views import View

from controller.accounts.api.pages.views import LinkedPage
from controller.base.admin import admin_url
from controller.base.errors import Refused
from networks.overlay import rules
from networks.overlay.engine.overlay_names import parse_link
from networks.overlay.engine.qr_codes import qr_code
from networks.overlay.models import Network
from networks.overlay.rules.renewal_links import node_of_link, renew
from networks.overlay.rules.shares import network_of, of_token

NOT_FOUND = 404


class NetworkPage(LinkedPage):
    template = "portal/open_link.html"

    @staticmethod
    def to(network: Network) -> HttpResponse:
        return HttpResponseRedirect(admin_url(Network, "change", network.pk))


class DevicePage(NetworkPage):
    """``/husarnet/<56 digits>``: the signed-in user adds the device to a network."""

    title = "Add a device"

    def get(self, request: HttpRequest, digits: str) -> HttpResponse:
        return self.page(request)

    def post(self, request: HttpRequest, digits: str) -> HttpResponse:
        data = request.POST
        pk = data.get("network", "")
        rows = Network.objects.visible_to(self.user)
        network = rows.filter(pk=pk).first() if pk.isdecimal() else None
        if network is None:
            return self.page(request, "Choose a network.")
        try:
            rules.add_by_link(
                network,
                by=self.user,
                link=request.build_absolute_uri(),
                name=data.get("name"),
                is_fully_managed="managed" in data,
            )
        except Refused as error:
            return self.page(request, str(error))
        return self.to(network)

    def page(self, request: HttpRequest, problem: str = "") -> HttpResponse:
        _, address, _ = parse_link(request.build_absolute_uri())
        return self.shown(
            request,
            problem,
            networks=list(Network.objects.visible_to(self.user).order_by("name")),
            address=address,
            name=request.POST.get("name", ""),
        )


class InvitationPage(NetworkPage):
    """Page ``/invitation/<token>``: accept or decline the invitation to a network."""

    title = "An invitation"

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            network = network_of(token)
        except Refused as error:
            return self.shown(request, str(error))
        self.title = f"You are invited to {network.name}"
        return self.shown(request, network=network, share=of_token(token))

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            if "decline" in request.POST:
                rules.decline(self.user, token)
                return HttpResponseRedirect(admin_url(Network, "changelist"))
            return self.to(rules.accept(self.user, token))
        except Refused as error:
            return self.shown(request, str(error))


class RenewalPage(View):
    """Page ``/network-device/<token>/``: a new QR code for a phone, without signing in."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            return self.page(request, node=node_of_link(token))
        except Refused as error:
            return self.page(request, problem=str(error), status=NOT_FOUND)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            node, text = renew(token)
        except Refused as error:
            return self.page(request, problem=str(error), status=NOT_FOUND)
        return self.page(request, node=node, config=text, qr=qr_code(text))

    def page(self, request: HttpRequest, status: int = 200, **said: Any) -> HttpResponse:
        context = site.each_context(request) | {"title": gettext("Configuration of a device")}
        answer = TemplateResponse(request, "portal/renewal.html", context | said, status=status)
        # Neither the key nor the link stays anywhere else.
        answer["Cache-Control"], answer["Referrer-Policy"] = "no-store", "no-referrer"
        return answer
