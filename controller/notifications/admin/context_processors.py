"""Context processor of the notification bell."""

from typing import Any

from django.http import HttpRequest

from controller.accounts.models import User
from controller.notifications.models import Notification

MOST = 99


class Unread:
    """Number of unread notifications, queried only if the page shows it."""

    def __init__(self, user: User) -> None:
        self.user = user

    def __str__(self) -> str:
        unread = Notification.objects.visible_to(self.user).filter(unread=True)
        # Unordered, and counted up to the displayed maximum only.
        count = unread.order_by()[: MOST + 1].count()
        return f"{MOST}+" if count > MOST else str(count or "")


def unread(request: HttpRequest) -> dict[str, Any]:
    """Add the number of unread notifications to the context (a context processor)."""
    user = getattr(request, "user", None)
    return {"unread": Unread(user)} if isinstance(user, User) else {}
