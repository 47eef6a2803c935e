"""Columns and rows per page of a list, as each person chose them."""

import re
from typing import Any

import pytest
from django.contrib.admin import site
from django.test import Client

from controller.accounts.models import Organization, User
from controller.base.admin import admin_url
from controller.base.changelist import CHECKBOX
from tests import demo_world, factories

pytestmark = pytest.mark.django_db
LIST = "/admin/devices/device/"
SAVE = "/admin/accounts/savedfilter/layout/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def cells(client: Client, path: str = LIST) -> list[str]:
    row = (
        client.get(path).content.decode().partition('class="data-row"')[2].partition("</tr>")[0]
    )
    return re.findall(r'class="cell field-(\w+)"', row)


def save(client: Client, **sent: Any) -> Any:
    return client.post(SAVE, {"page": "devices.device", "page_size": "100"} | sent, follow=True)


def test_a_person_hides_columns_and_shows_them_again(organization: Organization) -> None:
    factories.device(organization)
    client, other = (signed_in(factories.user(organization, is_staff=True)) for _ in "ab")
    usual = cells(client)
    answer = save(client, shown=usual[2:], query="q=&p=1&o=2")
    assert answer.redirect_chain[-1][0] == f"{LIST}?o=2"
    assert cells(client) == [usual[0], *usual[2:]]
    assert cells(other) == usual
    assert cells(client, "/admin/devices/devicegroup/") == cells(
        other, "/admin/devices/devicegroup/"
    )
    save(client, reset="1")
    assert cells(client) == usual


def test_a_page_has_as_many_rows_as_the_person_chose(organization: Organization) -> None:
    for _ in range(26):
        factories.device(organization)
    client = signed_in(factories.user(organization, is_staff=True))
    assert len(client.get(LIST).context["cl"].result_list) == 26
    save(client, page_size="25")
    assert len(client.get(LIST).context["cl"].result_list) == 25


def test_a_sort_order_means_the_same_with_columns_hidden(organization: Organization) -> None:
    client = signed_in(factories.user(organization, is_staff=True))
    shown = client.get(f"{LIST}?o=3").context["cl"]
    save(client, shown=[])
    hidden = client.get(f"{LIST}?o=3").context["cl"]
    assert shown.queryset.query.order_by == hidden.queryset.query.order_by
    assert len(hidden.headers) == 2, "the checkbox, and the column that links to the row"


@pytest.mark.parametrize(
    "sent", [{"page_size": "100000"}, {"page_size": ""}, {"shown": ["password"]}]
)
def test_what_cannot_be_chosen_is_refused_on_the_list(
    organization: Organization, sent: dict[str, Any]
) -> None:
    client = signed_in(factories.user(organization, is_staff=True))
    answer = save(client, **sent)
    assert [one.level_tag for one in answer.context["messages"]] == ["error"]
    assert User.objects.exclude(list_layouts={}).count() == 0


def test_a_list_that_one_may_not_see_has_no_layout(organization: Organization) -> None:
    client = signed_in(factories.user(organization, is_staff=True))
    assert save(client, page="accounts.user").status_code == 403
    assert save(client, page="no.such").status_code == 404


@pytest.mark.once
def test_every_list_shows_with_all_that_can_be_hidden_hidden() -> None:
    world = demo_world.build()
    client = signed_in(world.people["super"])
    for model, shown in site._registry.items():
        page = admin_url(model, "changelist")
        context = client.get(page).context
        if not context or "cl" not in context or not hasattr(context["cl"], "columns"):
            continue
        label = shown.opts.label_lower
        answer = save(client, page=label, shown=[])
        changelist = answer.context["cl"]
        assert answer.status_code == 200, label
        kept = {*changelist.list_display} - {one.name for one in changelist.optional_columns}
        if changelist.result_count:
            assert {*cells(client, page)} == kept - {CHECKBOX}, label
