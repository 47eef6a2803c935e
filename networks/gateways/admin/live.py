"""Live view of a gateway: a page whose parts are read one after the other, and again."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.base.admin import RuleAdmin, admin_url, badge
from controller.base.errors import Refused
from networks.gateways.engine.live import BYTES
from networks.gateways.models import Gateway
from networks.gateways.rules import live_view

GOOD = {"up", "online", "connected", "active", "ok", "answer", "running", "established"}
BAD = {
    "down",
    "offline",
    "stale",
    "inactive",
    "error",
    _("no answer"),
    _("not connected"),
    "timeout",
}


def shown(told: live_view.Told) -> dict[str, Any]:
    """Return a part's rows as cells of a table."""
    return {
        "part": told.part,
        "at": told.at,
        "rows": [[cell(name, value) for name, value in row.items()] for row in told.rows],
    }


def cell(name: str, value: Any) -> str:
    if name == "state" and value:
        lower = str(value).lower()
        return badge(str(value), "good" if lower in GOOD else "bad" if lower in BAD else "mute")
    if name in BYTES and isinstance(value, int | float):
        return filesizeformat(value)
    return str(value) if value != "" else "-"


class LiveView(RuleAdmin):
    """The live pages of the gateway admin."""

    def get_urls(self) -> list[Any]:
        view, name = self.admin_site.admin_view, "networks_gateway_live"
        return [
            path("<uuid:pk>/live/", view(self.live), name=name),
            path("<uuid:pk>/live/<slug:part>/", view(self.live_part), name=f"{name}_part"),
            path(
                "<uuid:pk>/live/run/<slug:tool>/", view(require_POST(self.live_tool)),
                name=f"{name}_tool",
            ),
            *super().get_urls(),
        ]  # fmt: skip

    def live(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Show the page; its parts are fetched by the browser."""
        gateway: Gateway = self.row_for(request, str(pk), "read")
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("%(gateway)s: live") % {"gateway": gateway},
            "gateway": gateway,
            "parts": live_view.parts_of(gateway),
            "tools": live_view.tools_of(gateway)
            if self.may(request, "update", gateway)
            else [],
            "back": admin_url(Gateway, "change", gateway.pk),
        }
        return render(request, "admin/networks/gateway/live.html", context)

    def live_part(self, request: HttpRequest, pk: Any, part: str) -> HttpResponse:
        """Render one part, or why it cannot be read."""
        gateway = self.row_for(request, str(pk), "read")
        try:
            context = shown(live_view.read_part(gateway, part))
        except Refused as error:
            context = {"trouble": str(error)}
        return render(request, "portal/gateway_live.html", context)

    def live_tool(self, request: HttpRequest, pk: Any, tool: str) -> HttpResponse:
        gateway = self.row_for(request, str(pk), "update")
        try:
            host = request.POST.get("host", "").strip()
            context = shown(live_view.run_tool(gateway, tool, host=host))
        except Refused as error:
            context = {"trouble": str(error)}
        return render(request, "portal/gateway_live.html", context)
