"""Admin page of the user's notification preferences."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache

from controller.accounts.models import Organization, User
from controller.notifications.engine.kinds import KINDS
from controller.notifications.rules import preferences
from controller.notifications.rules.preferences import WAYS, PreferenceLookup

NAME = "notification_preferences"


@never_cache
def page(request: HttpRequest) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - admin_view has let it in
    organizations = list(Organization.objects.visible_to(user).filter(is_active=True))
    chosen = picked(organizations, request.GET.get("organization", ""))
    rows: Any = preferences.preferences_of(user)
    rows = rows.filter(organization=chosen)
    if request.method == "POST":
        save(rows, request.POST)
        messages.success(request, gettext("Saved."))
        return HttpResponseRedirect(f"{reverse(f'admin:{NAME}')}?{request.GET.urlencode()}")
    choices = PreferenceLookup([user])
    lines = [
        {
            "row": row,
            "label": gettext(KINDS[row.kind].label)
            if row.kind
            else gettext("All notifications"),
            "ways": [
                (way, choices.enabled(way, user.pk, row.organization_id, row.kind))
                for way in WAYS
            ],
        }
        for row in rows
    ]
    context: dict[str, Any] = admin.site.each_context(request) | {
        "title": gettext("Notification settings"),
        "lines": lines,
        "organizations": organizations,
        "chosen": chosen,
    }
    return TemplateResponse(request, "admin/notifications/preferences.html", context)


def picked(organizations: list[Organization], wanted: str) -> Organization | None:
    return next((one for one in organizations if str(one.pk) == wanted), None)


def save(rows: Any, given: Any) -> None:
    """Save the boxes that were changed; all others keep inheriting."""
    for row in rows:
        changed = {
            way: f"{row.pk}.{way}" in given
            for way in WAYS
            if (f"{row.pk}.{way}" in given) != (given.get(f"{row.pk}.{way}.was") == "on")
        }
        if changed:
            preferences.set_preference(row, **changed)
