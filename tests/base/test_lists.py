"""What every list of the admin has in common."""

from django.contrib import admin

from controller.base.admin import ScopedAdmin
from controller.base.look import HINTS

# There is always one, at least that of whoever looks.
NEVER_EMPTY = {"accounts.organization", "accounts.user"}


def test_every_empty_list_says_what_to_do() -> None:
    ours = {
        model._meta.label_lower
        for model, one in admin.site._registry.items()
        if isinstance(one, ScopedAdmin)
    }
    assert set(HINTS) <= ours, "hints of lists that are gone"
    assert ours - NEVER_EMPTY <= set(HINTS)
