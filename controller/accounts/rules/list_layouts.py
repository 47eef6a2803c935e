"""Layouts of admin lists: which columns a person hides, and how many rows a page has."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.changelist import PAGE_SIZES
from controller.base.errors import Refused


def save_layout(user: User, *, page: str, hidden: Iterable[str], page_size: int) -> None:
    """Keep the user's layout of a list; `page` is its app and model."""
    if page_size not in PAGE_SIZES:
        sizes = ", ".join(map(str, PAGE_SIZES))
        raise Refused(gettext("A page has %(sizes)s rows.") % {"sizes": sizes})
    layout = {"hidden": sorted(hidden), "page_size": page_size}
    _keep(user, user.list_layouts | {page: layout})


def reset_layout(user: User, *, page: str) -> None:
    """Show the list as it is without a choice."""
    _keep(user, {key: one for key, one in user.list_layouts.items() if key != page})


def _keep(user: User, layouts: dict[str, Any]) -> None:
    # By a query, which writes no line in the audit log: nothing of the user's access changes.
    User.objects.filter(pk=user.pk).update(list_layouts=layouts)
