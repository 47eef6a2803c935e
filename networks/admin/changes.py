"""Changes of gateways: reviewed side by side, approved, applied, taken back; alone or in sets."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_POST

from controller.base.admin import (
    ChoicesDropdownFilter,
    RuleAdmin,
    ScopedRelatedFilter,
    admin_url,
    badge,
    display,
)
from controller.base.errors import Refused
from controller.devices.admin.showing import ago
from networks.admin.staging import StageForm
from networks.models import Change, ChangeSet
from networks.rules import (
    approving,
    changes,
    comparing,
    moving,
    rehearsing,
    rivals,
    scheduling,
    sets,
)
from networks.rules.scheduling import How

TONES = {
    "draft": "mute", "pending": "warn", "approved": "warn", "scheduled": "busy",
    "applying": "busy", "verifying": "busy", "applied": "good", "failed": "bad",
    "unknown": "warn", "discarded": "mute", "expired": "mute", "rolled_back": "mute",
    "running": "busy", "rolling_back": "busy",
}  # fmt: skip
MOST_COMPARED = 50


def state_of(row: Change | ChangeSet) -> str:
    return badge(row.get_state_display(), TONES[row.state], row.outcome)


def shown(change: Change) -> dict[str, Any]:
    """A change as a line of a list."""
    return {
        "change": change,
        "status": state_of(change),
        "staged": ago(change.created),
        "link": admin_url(Change, "change", change.pk),
        "is_loose": change.change_set_id is None
        and change.state in {Change.State.PENDING, Change.State.APPROVED},
    }


def drawer_of(rows: Iterable[Change]) -> list[dict[str, Any]]:
    """Changes that wait, and with each how many others wait for the same."""
    found = list(rows)
    others = rivals.rivals((one.pk, one.subject) for one in found)
    return [{**shown(one), "rivals": len(others.get(one.pk, []))} for one in found]


def how_of(request: HttpRequest, zone: ZoneInfo) -> How:
    return How(
        force=True,
        accepts_drift="drift" in request.POST,
        in_window="in_window" in request.POST,
        not_before=moment(request.POST.get("not_before", ""), zone),
    )


def moment(text: str, zone: ZoneInfo) -> datetime | None:
    """As a browser sends it, by the clock of the site."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError as error:
        raise Refused("Write when it is to be applied as 2026-11-30 22:00.") from error


class Reviewed(RuleAdmin):
    """A page that is looked at and has buttons, and no form of its own."""

    resource = "network"
    verbs: Mapping[str, Callable[[Any, Any, HttpRequest], Any]]
    part: str

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

    def page_of(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        raise NotImplementedError

    def progress(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The part of the page that changes, for the page to fetch."""
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

    @display(description="State", ordering="state")
    def status(self, obj: Any) -> str:
        return state_of(obj)

    @display(description="Staged", ordering="created")
    def staged(self, obj: Any) -> str:
        return ago(obj.created)


@admin.register(Change)
class ChangeAdmin(Reviewed):
    list_display = ["__str__", "gateway", "status", "author", "staged"]
    list_filter = [
        ("gateway", ScopedRelatedFilter), ("state", ChoicesDropdownFilter),
    ]  # fmt: skip
    list_select_related = ["gateway", "author"]
    search_fields = ["feature", "notes"]
    fields = readonly_fields = ["notes"]
    change_form_template = "admin/networks/change/change_form.html"
    part = "portal/change.html"
    verbs = {
        "apply": lambda row, by, request: scheduling.ask(
            row, by=by, how=how_of(request, row.gateway.zone)
        ),
        "approve": lambda row, by, _: approving.approve(row, by=by),
        "discard": lambda row, by, _: changes.discard(row, by=by),
        "hold": lambda row, by, _: scheduling.hold(row, by=by),
        "submit": lambda row, by, _: changes.submit(row, by=by),
        "roll-back": lambda row, by, _: changes.plan_inverse(row, by=by),
        "stage-again": lambda row, by, _: changes.stage_again(row, by=by),
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.select_related("gateway__organization", "gateway__site", "author")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/amend/", view(self.amend), name="networks_change_amend"),
            path("<uuid:pk>/dry-run/", view(self.dry_run), name="networks_change_dry_run"),
            *super().get_urls(),
        ]

    def amend(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The form that it was staged with, filled with what waits."""
        row, user = self.row_for(request, str(pk), "read"), request.user
        back = admin_url(Change, "change", row.pk)
        if not may(changes.may_write, user, row.gateway, row.what) or not is_amendable(row):
            self.message_user(request, f"A change that is {row.state} is not amended.", "error")
            return HttpResponseRedirect(back)
        form = StageForm(
            request.POST or None, feature=row.what, operation=row.operation, amends=row
        )
        if form.kept(lambda given: changes.amend(row, by=user, **given)):  # type: ignore[arg-type]
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Amend: {row} on {row.gateway}",
            "told": "Whoever approved it agreed to what it was; it has to be approved again."
            if row.state == Change.State.APPROVED
            else "It goes on waiting; nothing is written now.",
            "form": form,
            "button": "Keep it like this",
            "back": back,
        }
        return render(request, "admin/pki/ask.html", context)

    def dry_run(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """What applying would do and send, asked of the live gateway."""
        row = self.row_for(request, str(pk), "read")
        back = admin_url(Change, "change", row.pk)
        try:
            plan = rehearsing.plan(row, by=request.user, how=How(force=True))  # type: ignore[arg-type]
        except Refused as error:
            self.message_user(request, str(error), "error")
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Dry run: {row} on {row.gateway}",
            "plan": plan,
            "requests": [
                {"call": one, "body": json.dumps(one.body, indent=2) if one.body else ""}
                for one in plan.requests
            ],
            "back": back,
        }
        return render(request, "admin/networks/change/dry_run.html", context)

    def page_of(self, request: HttpRequest, row: Change) -> dict[str, Any]:
        (found,) = comparing.compare_all([row], fresh="fresh" in request.GET)
        return {
            "staged": row,
            "status": state_of(row),
            "is_moving": row.state in Change.MOVING,
            "waits": row.state in {Change.State.PENDING, Change.State.APPROVED},
            "is_over": row.state in {"failed", "expired", "discarded"},
            "is_amendable": is_amendable(row),
            "rivals": Change.objects.filter(pk__in=rivals.rivals_of(row)),
            "zone": row.gateway.zone,
            "read_only": settings.ADAPTER_READ_ONLY,
            "found": found,
            "hidden": sorted(row.secrets or {}),
            "may_write": may(changes.may_write, request.user, row.gateway, row.what),
            "needs_approval": approving.is_needed(row),
            "approvals": row.approvals.filter(digest=row.digest).select_related("user"),
            "is_ready": not approving.is_needed(row) or approving.is_approved(row),
            "is_mine": row.author_id == request.user.pk,
            "window": obstacle(row),
        }


def is_amendable(row: Change) -> bool:
    return row.state in {Change.State.DRAFT, Change.State.PENDING, Change.State.APPROVED}


def may(check: Callable[..., None], *args: Any) -> bool:
    try:
        check(*args)
    except Refused:
        return False
    return True


def obstacle(change: Change) -> str:
    """Why it cannot be applied at this moment, of those reasons that pass by themselves."""
    try:
        scheduling.opening(change, How(force=True))
    except Refused as error:
        return str(error).split(" Say ")[0]
    return ""


@admin.register(ChangeSet)
class ChangeSetAdmin(Reviewed):
    list_display = ["name", "organization", "site", "status", "size", "author", "staged"]
    list_filter = [
        ("organization", ScopedRelatedFilter), ("state", ChoicesDropdownFilter),
    ]  # fmt: skip
    list_select_related = ["organization", "site", "author"]
    search_fields = ["name", "notes"]
    fields = readonly_fields = ["notes"]
    change_form_template = "admin/networks/changeset/change_form.html"
    part = "portal/change_set.html"
    verbs = {
        "apply": lambda row, by, request: sets.apply_set(
            row, by=by, force=True, accepts_drift="drift" in request.POST
        ),
        "approve": lambda row, by, _: sets.approve_set(row, by=by),
        "discard": lambda row, by, _: sets.discard_set(row, by=by),
        "roll-back": lambda row, by, _: sets.roll_back_set(row, by=by),
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(parts=Count("changes"))

    @display(description="Changes", ordering="parts")
    def size(self, obj: Any) -> str:
        return str(obj.parts)

    def page_of(self, request: HttpRequest, row: ChangeSet) -> dict[str, Any]:
        mine = Change.objects.visible_to(request.user, moving.READ).filter(change_set=row)
        rows = mine.select_related("gateway__organization", "gateway__site", "author")
        parts = list(rows.filter(position__isnull=False).order_by("position"))
        fresh = "fresh" in request.GET
        found = comparing.compare_all(parts[:MOST_COMPARED], fresh=fresh)
        others = rivals.rivals((one.pk, one.subject) for one in parts)
        return {
            "set": row,
            "status": state_of(row),
            "is_moving": row.state in ChangeSet.ACTIVE,
            "can_begin": row.state in {ChangeSet.State.DRAFT, ChangeSet.State.FAILED},
            "can_go_back": row.state in {ChangeSet.State.APPLIED, ChangeSet.State.FAILED},
            "read_only": settings.ADAPTER_READ_ONLY,
            "done": sum(one.state in sets.DONE for one in parts),
            "total": len(parts),
            "parts": [
                {
                    **shown(one.change),
                    "found": one,
                    "hidden": sorted(one.change.secrets or {}),
                    "needs_approval": approving.is_needed(one.change)
                    and not approving.is_approved(one.change),
                    "rivals": len(others.get(one.change.pk, [])),
                }
                for one in found
            ],
            "backs": [shown(one) for one in rows.filter(position=None).order_by("created")],
            "may_write": all(
                may(changes.may_write, request.user, one.gateway, one.what) for one in parts
            ),
        }
