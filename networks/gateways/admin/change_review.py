"""Base of the review pages of changes and change sets, with their live parts."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.base.admin import RuleAdmin, admin_url, badge, display
from controller.base.errors import Refused
from controller.devices.admin.badges import relative_time
from networks.gateways.models import Change, ChangeSet
from networks.gateways.rules import conflicts

TONES = {
    "draft": "mute", "pending": "warn", "approved": "warn", "scheduled": "busy",
    "applying": "busy", "verifying": "busy", "applied": "good", "failed": "bad",
    "unknown": "warn", "discarded": "mute", "expired": "mute", "rolled_back": "mute",
    "running": "busy", "rolling_back": "busy",
}  # fmt: skip


def state_of(row: Change | ChangeSet) -> str:
    return badge(row.get_state_display(), TONES[row.state], row.outcome)


def shown(change: Change) -> dict[str, Any]:
    """Return a change as a row of a list."""
    return {
        "change": change,
        "status": state_of(change),
        "staged": relative_time(change.created),
        "link": admin_url(Change, "change", change.pk),
        "is_loose": change.change_set_id is None
        and change.state in {Change.State.PENDING, Change.State.APPROVED},
    }


def drawer_of(rows: Iterable[Change]) -> list[dict[str, Any]]:
    """Return open changes as list rows, each with the number of conflicting changes."""
    found = list(rows)
    others = conflicts.conflicts_within((one.pk, one.subject) for one in found)
    return [{**shown(one), "rivals": len(others.get(one.pk, []))} for one in found]


class Reviewed(RuleAdmin):
    """Admin page with buttons and a live part instead of a form."""

    resource = "network"
    verbs: Mapping[str, Callable[[Any, Any, HttpRequest], Any]]
    part: str
    # Context of the page for one row.
    page_of: Callable[..., dict[str, Any]]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        name = f"networks_{self.opts.model_name}"
        return [
            path("<uuid:pk>/progress/", view(self.progress), name=f"{name}_progress"),
            path("<uuid:pk>/do/<slug:verb>/", view(require_POST(self.move)), name=f"{name}_do"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        if (row := kw.get("obj")) is not None:
            context |= self.page_of(request, row)
        return super().render_change_form(request, context, *args, **kw)

    def progress(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Render the live part of the page, for polling."""
        row = self.row_for(request, str(pk), "read")
        return render(request, self.part, self.page_of(request, row))

    def move(self, request: HttpRequest, pk: Any, verb: str) -> HttpResponse:
        row = self.row_for(request, str(pk), "read")
        try:
            if verb in self.verbs:
                row = self.verbs[verb](row, request.user, request)
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(self.model, "change", row.pk))

    @display(description=_("State"), ordering="state")
    def status(self, obj: Any) -> str:
        return state_of(obj)

    @display(description=_("Staged"), ordering="created")
    def staged(self, obj: Any) -> str:
        return relative_time(obj.created)


def may(check: Callable[..., None], *args: Any) -> bool:
    try:
        check(*args)
    except Refused:
        return False
    return True
