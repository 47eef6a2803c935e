"""Admin pages of staged changes: diff, amend, approve, apply, roll back."""

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.engine.permission_titles import permission_title
from controller.base.admin import ChoicesDropdownFilter, ScopedRelatedFilter, admin_url
from controller.base.errors import Refused
from networks.gateways.admin.change_review import Reviewed, may, state_of
from networks.gateways.admin.stage_change import StageForm
from networks.gateways.models import Change
from networks.gateways.rules import approvals, changes, conflicts, diff, scheduling
from networks.gateways.rules import dry_run as rehearsing
from networks.gateways.rules.neighboring_rules import cached_surroundings
from networks.gateways.rules.scheduling import ApplyOptions


def how_of(request: HttpRequest, zone: ZoneInfo) -> ApplyOptions:
    return ApplyOptions(
        force=True,
        accepts_drift="drift" in request.POST,
        in_window="in_window" in request.POST,
        not_before=moment(request.POST.get("not_before", ""), zone),
    )


def moment(text: str, zone: ZoneInfo) -> datetime | None:
    """Parse a browser's datetime-local value in the site's time zone. Raises Refused."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError as error:
        raise Refused(gettext("Write the time as 2026-11-30 22:00.")) from error


@admin.register(Change)
class ChangeAdmin(Reviewed):
    empty_hint = _(
        "Changes are staged on a gateway's page or over the API, and wait here until they are applied."
    )
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
        "apply": lambda row, by, request: scheduling.schedule(
            row, by=by, how=how_of(request, row.gateway.zone)
        ),
        "approve": lambda row, by, _: approvals.approve(row, by=by),
        "discard": lambda row, by, _: changes.discard(row, by=by),
        "hold": lambda row, by, _: scheduling.unschedule(row, by=by),
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
        """Show the staging form filled with the pending change, and amend it."""
        row, user = self.row_for(request, str(pk), "read"), request.user
        back = admin_url(Change, "change", row.pk)
        if not may(changes.may_write, user, row.gateway, row.what) or not is_amendable(row):
            self.message_user(
                request,
                gettext("This change is %(state)s, so it cannot be amended.")
                % {"state": row.get_state_display().lower()},
                "error",
            )
            return HttpResponseRedirect(back)
        form = StageForm(
            request.POST or None, feature=row.what, operation=row.operation, amends=row
        )
        if form.kept(lambda given: changes.amend(row, by=user, **given)):  # type: ignore[arg-type]
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Amend: %(row)s on %(gateway)s")
            % {"row": row, "gateway": row.gateway},
            "told": gettext(
                "The approval was for the previous values, so this change must be approved again."
            )
            if row.state == Change.State.APPROVED
            else gettext("The change stays pending; nothing is written to the gateway yet."),
            "form": form,
            "button": gettext("Save change"),
            "back": back,
        }
        return render(request, "admin/pki/ask.html", context)

    def dry_run(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Show what applying would send, computed against the live gateway."""
        row = self.row_for(request, str(pk), "read")
        back = admin_url(Change, "change", row.pk)
        try:
            plan = rehearsing.plan(row, by=request.user, how=ApplyOptions(force=True))  # type: ignore[arg-type]
        except Refused as error:
            self.message_user(request, str(error), "error")
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Dry run: %(row)s on %(gateway)s")
            % {"row": row, "gateway": row.gateway},
            "plan": plan,
            "requests": [
                {"call": one, "body": json.dumps(one.body, indent=2) if one.body else ""}
                for one in plan.requests
            ],
            "back": back,
        }
        return render(request, "admin/networks/change/dry_run.html", context)

    def page_of(self, request: HttpRequest, row: Change) -> dict[str, Any]:
        (found,) = diff.compare_all([row], fresh="fresh" in request.GET)
        user: Any = request.user
        return {
            "staged": row,
            "status": state_of(row),
            "is_moving": row.state in Change.MOVING,
            "waits": row.state in {Change.State.PENDING, Change.State.APPROVED},
            "is_over": row.state in {"failed", "expired", "discarded"},
            "is_amendable": is_amendable(row),
            "rivals": Change.objects.filter(pk__in=conflicts.conflicting_changes(row)),
            "zone": row.gateway.zone,
            "permission": gettext(permission_title(row.what.permission)),
            "read_only": settings.ADAPTER_READ_ONLY,
            "found": found,
            "place": cached_surroundings(row, fresh="fresh" in request.GET),
            "hidden": sorted(row.secrets or {}),
            "may_write": may(changes.may_write, request.user, row.gateway, row.what),
            "needs_approval": approvals.is_needed(row),
            "approvals": row.approvals.filter(digest=row.digest).select_related("user"),
            "is_ready": not approvals.is_needed(row) or approvals.is_approved(row),
            "is_mine": row.is_written_by(user),
            "window": obstacle(row),
            "may_give_up": changes.may_give_up(row, by=user),
        }


def is_amendable(row: Change) -> bool:
    return row.state in {Change.State.DRAFT, Change.State.PENDING, Change.State.APPROVED}


def obstacle(change: Change) -> str:
    """Return why the change cannot start now, such as a maintenance window, or ""."""
    try:
        scheduling.next_start(change, ApplyOptions(force=True))
    except Refused as error:
        return str(error).split(" Say ")[0]
    return ""
