"""Properties common to all lists of the admin."""

import pytest
from django.contrib import admin
from django.test import Client

from controller.accounts.models import User
from controller.base.admin import ScopedAdmin
from tests.demo_world import build

# There is always at least one row: the requesting user's.
NEVER_EMPTY = {"accounts.organization", "accounts.user"}


def test_every_list_that_may_be_empty_says_what_to_do() -> None:
    silent = {
        model._meta.label_lower
        for model, one in admin.site._registry.items()
        if isinstance(one, ScopedAdmin) and not one.empty_hint
    }
    assert silent <= NEVER_EMPTY


@pytest.mark.django_db
def test_every_list_shows_its_rows() -> None:
    build()
    client = Client()
    client.force_login(User.objects.get(username="root"))
    filled = 0
    for model, one in admin.site._registry.items():
        if isinstance(one, ScopedAdmin):
            path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            shown = client.get(path)
            assert shown.status_code == 200, path
            filled += 'class="data-row"' in shown.content.decode()
    assert filled > 35
