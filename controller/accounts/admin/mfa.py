"""Admin page where users set up their own second factor."""

from typing import Any

import segno
from django.contrib import admin, messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache

from controller.accounts.models import User
from controller.accounts.rules import mfa, sessions, users
from controller.base.errors import Refused

NAME = "second_factor"


@never_cache
def page(request: HttpRequest) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - admin_view has let it in
    context: dict[str, Any] = admin.site.each_context(request) | {
        "title": gettext("Second factor")
    }
    if request.method == "POST":
        try:
            shown = act(request, user)
            if not shown:
                return HttpResponseRedirect(reverse(f"admin:{NAME}"))
            context |= shown
        except Refused as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse(f"admin:{NAME}"))
    return TemplateResponse(
        request,
        "admin/accounts/second_factor.html",
        context | {"is_on": mfa.is_enabled(user)},
    )


def act(request: HttpRequest, user: User) -> dict[str, Any]:
    """Execute the pressed button; return the values that are shown only once."""
    given = request.POST
    match given.get("do"):
        case "begin":
            users.confirm_password(user, given.get("password", ""))
            setup = mfa.start_setup(user)
            code = segno.make(setup.uri).svg_data_uri(scale=5, light="white")
            return {"setup": setup, "qr": code}
        case "on":
            mfa.enable(user, given.get("code", "").replace(" ", ""))
            end_others(request, user, "MFA was turned on")
        case "off":
            users.confirm_password(user, given.get("password", ""))
            mfa.disable(user, given.get("code", ""))
            end_others(request, user, "MFA was turned off")
    return {}


def end_others(request: HttpRequest, user: User, because: str) -> None:
    """End every other session; this browser stays signed in."""
    own = sessions.of_browser(user, request.session.get(sessions.BROWSER))
    sessions.revoke_all(user, because=because, but=own)
    update_session_auth_hash(request, user)
