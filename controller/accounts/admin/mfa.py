"""Admin page where users set up their own second factor."""

from typing import Any

import segno
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache

from controller.accounts.models import User
from controller.accounts.rules import mfa, sessions, users
from controller.base.errors import Refused

NAME = "second_factor"


@never_cache
def page(request: HttpRequest) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - admin_view has let it in
    context: dict[str, Any] = admin.site.each_context(request) | {"title": "Second factor"}
    if request.method == "POST":
        try:
            shown = act(user, request.POST)
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


def act(user: User, given: Any) -> dict[str, Any]:
    """Execute the pressed button; return the values that are shown only once."""
    match given.get("do"):
        case "begin":
            users.confirm_password(user, given.get("password", ""))
            setup = mfa.start_setup(user)
            code = segno.make(setup.uri).svg_data_uri(scale=5, light="white")
            return {"setup": setup, "qr": code}
        case "on":
            mfa.enable(user, given.get("code", "").replace(" ", ""))
            sessions.revoke_all(user, because="MFA was turned on")
        case "off":
            users.confirm_password(user, given.get("password", ""))
            mfa.disable(user)
    return {}
