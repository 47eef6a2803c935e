"""Properties common to all lists of the admin."""

import csv
import io
from typing import Any

import pytest
from django.contrib.admin import site
from django.test import Client

from controller.accounts.models import Organization, User
from controller.base.admin import ScopedAdmin
from tests import factories
from tests.demo_world import build

# There is always at least one row: the requesting user's.
NEVER_EMPTY = {"accounts.organization", "accounts.user"}


def test_every_list_that_may_be_empty_says_what_to_do() -> None:
    silent = {
        model._meta.label_lower
        for model, one in site._registry.items()
        if isinstance(one, ScopedAdmin) and not one.empty_hint
    }
    assert silent <= NEVER_EMPTY


@pytest.mark.django_db
def test_every_list_shows_its_rows() -> None:
    build()
    client = Client()
    client.force_login(User.objects.get(username="root"))
    filled = 0
    for model, one in site._registry.items():
        if isinstance(one, ScopedAdmin):
            path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            shown = client.get(path)
            assert shown.status_code == 200, path
            filled += 'class="data-row"' in shown.content.decode()
    assert filled > 35


def csv_of(answer: Any) -> list[list[str]]:
    text = answer.content.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.django_db
@pytest.mark.once
def test_every_list_is_exported_as_it_is_shown() -> None:
    build()
    client = Client()
    client.force_login(User.objects.get(username="root"))
    for model, one in site._registry.items():
        if isinstance(one, ScopedAdmin):
            path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            rows = client.get(path).context["cl"].result_count
            head, *lines = csv_of(client.get(f"{path}?_export=csv"))
            assert len(lines) == rows, path
            assert {len(line) for line in lines} <= {len(head)}, path
            assert "<" not in "".join(cell for line in lines for cell in line)


@pytest.mark.django_db
def test_an_export_has_what_is_filtered_in_the_chosen_columns(
    client: Client, admin: User, organization: Organization
) -> None:
    for name in ("=lobby", "roof"):
        factories.template(organization, name=name)
    factories.template(organization, name="lobby-2")
    client.force_login(admin)
    head, *lines = csv_of(client.get("/admin/configs/template/?q=lobby&_export=csv&p=1"))
    assert head[:2] == ["Name", "Organization"]
    assert sorted(line[0] for line in lines) == ["'=lobby", "lobby-2"]


@pytest.mark.django_db
def test_a_stranger_exports_nothing(client: Client, organization: Organization) -> None:
    factories.template(organization, name="lobby")
    stranger = factories.user(factories.organization(), "viewer", is_staff=True)
    client.force_login(stranger)
    _head, *lines = csv_of(client.get("/admin/configs/template/?_export=csv"))
    assert lines == []
