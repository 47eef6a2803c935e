"""Admin pages of change sets: review, apply in order, roll back."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from controller.base.admin import ChoicesDropdownFilter, ScopedRelatedFilter, display
from networks.gateways.admin.change_review import Reviewed, may, shown, state_of
from networks.gateways.models import Change, ChangeSet
from networks.gateways.rules import (
    approvals,
    change_sets,
    changes,
    conflicts,
    diff,
    transitions,
)

MOST_COMPARED = 50


@admin.register(ChangeSet)
class ChangeSetAdmin(Reviewed):
    empty_hint = _(
        "A change set applies several changes in order, all or none. Select pending changes in their list to create one."
    )
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
        "apply": lambda row, by, request: change_sets.apply_set(
            row, by=by, force=True, accepts_drift="drift" in request.POST
        ),
        "approve": lambda row, by, _: change_sets.approve_set(row, by=by),
        "discard": lambda row, by, _: change_sets.discard_set(row, by=by),
        "roll-back": lambda row, by, _: change_sets.roll_back_set(row, by=by),
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(parts=Count("changes"))

    @display(description=_("Changes"), ordering="parts")
    def size(self, obj: Any) -> str:
        return str(obj.parts)

    def page_of(self, request: HttpRequest, row: ChangeSet) -> dict[str, Any]:
        mine = Change.objects.visible_to(request.user, transitions.READ).filter(change_set=row)
        rows = mine.select_related("gateway__organization", "gateway__site", "author")
        parts = list(rows.filter(position__isnull=False).order_by("position"))
        fresh = "fresh" in request.GET
        found = diff.compare_all(parts[:MOST_COMPARED], fresh=fresh)
        others = conflicts.conflicts_within((one.pk, one.subject) for one in parts)
        return {
            "set": row,
            "status": state_of(row),
            "is_moving": row.state in ChangeSet.ACTIVE,
            "can_begin": row.state in {ChangeSet.State.DRAFT, ChangeSet.State.FAILED},
            "can_go_back": row.state in {ChangeSet.State.APPLIED, ChangeSet.State.FAILED},
            "read_only": settings.ADAPTER_READ_ONLY,
            "done": sum(one.state in change_sets.DONE for one in parts),
            "total": len(parts),
            "parts": [
                {
                    **shown(one.change),
                    "found": one,
                    "hidden": sorted(one.change.secrets or {}),
                    "needs_approval": approvals.is_needed(one.change)
                    and not approvals.is_approved(one.change),
                    "rivals": len(others.get(one.change.pk, [])),
                }
                for one in found
            ],
            "backs": [shown(one) for one in rows.filter(position=None).order_by("created")],
            "may_write": all(
                may(changes.may_write, request.user, one.gateway, one.what) for one in parts
            ),
        }
