"""Language and time zone of a user."""

import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Refused

LONGEST_ZONE = 64


@lru_cache(maxsize=256)
def known_zone(name: str) -> zoneinfo.ZoneInfo | None:
    """Return the time zone of this name, or nothing if there is none."""
    if not name or len(name) > LONGEST_ZONE:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=1)
def zone_names() -> list[str]:
    """Return the names of all time zones of a region, and UTC."""
    return ["UTC", *sorted(name for name in zoneinfo.available_timezones() if "/" in name)]


@contextmanager
def locale_of(user: User | None) -> Iterator[None]:
    """Use the language and the time zone of the user, as in e-mails to them."""
    language = user.language if user is not None else ""
    zone = known_zone(user.time_zone) if user is not None else None
    known = language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
    with translation.override(known), timezone.override(zone):
        yield


def set_preferences(user: User, *, language: str, time_zone: str) -> None:
    """Store both; an empty one follows the browser."""
    if language and language not in dict(settings.LANGUAGES):
        raise Refused({"language": [gettext("This language is not available.")]})
    if time_zone and known_zone(time_zone) is None:
        raise Refused({"time_zone": [gettext("There is no such time zone.")]})
    user.language, user.time_zone = language, time_zone
    user.save(update_fields=["language", "time_zone"])
