"""Language and time zone of the pages that people read; programs always get English and UTC."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from controller.accounts.rules.preferences import known_zone

Respond = Callable[[HttpRequest], HttpResponse]

PAGES = ("/admin/", "/account/", "/accounts/", "/invitation/", "/husarnet/")
# Cookie in which static/portal/time-zone.js stores the zone of the browser.
ZONE_COOKIE = "muster_time_zone"


class PersonalLocale:
    """Middleware that shows pages in the language and the time zone of the person.

    The preferences of the user count first, then what the browser asks for.
    """

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PAGES):
            return self.get_response(request)
        user: Any = request.user
        language = getattr(user, "language", "")
        if language not in dict(settings.LANGUAGES):
            language = translation.get_language_from_request(request)
        zone = known_zone(getattr(user, "time_zone", "")) or known_zone(
            request.COOKIES.get(ZONE_COOKIE, "")
        )
        with translation.override(language), timezone.override(zone):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response
