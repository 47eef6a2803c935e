"""Admin page where users choose their language and time zone."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import translation
from django.utils.translation import get_language_info, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from controller.accounts.models import User
from controller.accounts.rules.preferences import set_preferences, zone_names
from controller.base.admin import UnfoldAdminSelectWidget

NAME = "user_preferences"


class PreferencesForm(forms.Form):
    language = forms.ChoiceField(
        label=_("Language"), required=False, widget=UnfoldAdminSelectWidget()
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"), required=False, widget=UnfoldAdminSelectWidget()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        by_browser = ("", gettext("As the browser asks"))
        languages = [
            (code, get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES
        ]
        fields: dict[str, Any] = self.fields
        fields["language"].choices = [by_browser, *languages]
        fields["time_zone"].choices = [
            ("", gettext("The browser's time zone")),
            *((name, name.replace("_", " ")) for name in zone_names()),
        ]


@never_cache
def page(request: HttpRequest) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - admin_view has let it in
    form = PreferencesForm(
        request.POST or None, initial={"language": user.language, "time_zone": user.time_zone}
    )
    if request.method == "POST" and form.is_valid():
        set_preferences(user, **form.cleaned_data)
        language = user.language or translation.get_language_from_request(request)
        with translation.override(language):
            messages.success(request, gettext("Saved."))
        return HttpResponseRedirect(reverse(f"admin:{NAME}"))
    context: dict[str, Any] = admin.site.each_context(request) | {
        "title": gettext("Language and time zone"),
        "form": form,
    }
    return TemplateResponse(request, "admin/accounts/preferences.html", context)
