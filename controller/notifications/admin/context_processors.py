"""The bell on every page."""

from typing import Any

from django.http import HttpRequest

from controller.accounts.models import User
from controller.notifications.models import Notification

MOST = 99


class Unread:
    """How many one has not read; asked for only where a page shows it."""

    def __init__(self, user: User) -> None:
        self.user = user

    def __str__(self) -> str:
        unread = Notification.objects.visible_to(self.user).filter(unread=True)
        # Without an order, and no further than anybody would read.
        count = unread.order_by()[: MOST + 1].count()
        return f"{MOST}+" if count > MOST else str(count or "")


def unread(request: HttpRequest) -> dict[str, Any]:
    """A context processor."""
    user = getattr(request, "user", None)
    return {"unread": Unread(user)} if isinstance(user, User) else {}
