"""Saved list filters: personal ones, and those shared in an organization."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import Organization, SavedFilter, User
from controller.accounts.rules import saved_filters
from controller.base.errors import Conflict, NotPermitted, Refused
from tests import factories

LIST = "/admin/devices/device/"
SAVED = "/admin/accounts/savedfilter/"
QUERY = "show=problems&q=roof"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def staff(organization: Organization, role: str) -> User:
    return factories.user(organization, role, is_staff=True)


def save(client: Client, **changes: Any) -> Any:
    sent = {"page": "devices.device", "query": QUERY, "name": "Roofs in trouble"}
    return client.post(f"{SAVED}save/", sent | changes, follow=True)


def names(client: Client, path: str = LIST) -> list[str]:
    return [str(one["row"]) for one in client.get(path).context["saved_filters"].rows]


def test_a_list_is_saved_opened_again_and_deleted(organization: Organization) -> None:
    client = signed_in(staff(organization, "viewer"))
    assert "Save this filter" not in client.get(LIST).content.decode()
    assert "Save this filter" in client.get(f"{LIST}?{QUERY}&p=2").content.decode()
    answer = save(client)
    assert answer.redirect_chain[-1][0] == f"{LIST}?q=roof&show=problems"
    assert 'aria-current="true"' in answer.content.decode()
    assert "Save this filter" not in answer.content.decode(), "it is saved already"
    assert 'href="?q=roof&amp;show=problems"' in client.get(LIST).content.decode()
    assert names(client, "/admin/configs/template/") == [], "each list has its own"
    assert "Roofs in trouble" in client.get(SAVED).content.decode()
    client.post(f"{SAVED}{SavedFilter.objects.get().pk}/drop/")
    assert names(client) == []


def test_shared_filters_are_seen_by_the_organization_and_by_nobody_else(
    organization: Organization,
) -> None:
    operator = signed_in(staff(organization, "operator"))
    save(operator, organization=str(organization.pk))
    save(operator, name="My own")
    viewer = signed_in(staff(organization, "viewer"))
    stranger = signed_in(staff(factories.organization(), "org_admin"))
    assert names(operator) == ["My own", "Roofs in trouble"]
    assert names(viewer) == ["Roofs in trouble"]
    assert names(stranger) == []
    shared = SavedFilter.objects.get(name="Roofs in trouble")
    assert viewer.post(f"{SAVED}{shared.pk}/drop/").status_code == 403
    assert stranger.post(f"{SAVED}{shared.pk}/drop/").status_code == 404
    owner = signed_in(staff(organization, "org_admin"))
    assert owner.post(f"{SAVED}{shared.pk}/drop/").status_code == 302
    assert [row.name for row in SavedFilter.objects.all()] == ["My own"]


def test_only_who_may_share_shares_and_only_where_they_may(organization: Organization) -> None:
    viewer = staff(organization, "viewer")
    save(signed_in(viewer), organization=str(organization.pk))
    operator = signed_in(staff(organization, "operator"))
    save(operator, organization=str(factories.organization().pk))
    save(operator, organization="nonsense")
    assert not SavedFilter.objects.exists()
    with pytest.raises(NotPermitted):
        saved_filters.save_filter(
            viewer, page="devices.device", name="x", query=QUERY, organization=organization
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"query": ""},
        {"query": "p=3&all="},
        {"name": ""},
        {"name": "x" * 61},
        {"query": "q" * 9999},
    ],
)
def test_what_cannot_be_saved_is_refused_on_the_list(
    organization: Organization, changes: dict[str, str]
) -> None:
    answer = save(signed_in(staff(organization, "viewer")), **changes)
    assert answer.status_code == 200
    assert len(list(answer.context["messages"])) == 1
    assert not SavedFilter.objects.exists()


@pytest.mark.parametrize("page", ["", "nonsense", "devices.nothing", "configs.templateuse"])
def test_there_are_no_filters_of_lists_that_do_not_exist(
    organization: Organization, page: str
) -> None:
    assert save(signed_in(staff(organization, "viewer")), page=page).status_code == 404


def test_a_list_that_one_may_not_see_has_none(organization: Organization) -> None:
    answer = save(signed_in(staff(organization, "viewer")), page="accounts.user")
    assert answer.status_code == 403


def test_a_name_is_taken_once_and_their_number_has_an_end(organization: Organization) -> None:
    user = staff(organization, "viewer")
    for number in range(saved_filters.MOST):
        saved_filters.save_filter(user, page="pki.cert", name=f"{number}", query="q=x")
    with pytest.raises(Conflict, match="the most"):
        saved_filters.save_filter(user, page="pki.cert", name="more", query="q=x")
    saved_filters.save_filter(user, page="pki.ca", name="once", query="q=x")
    with pytest.raises(Refused, match="of this name"):
        saved_filters.save_filter(user, page="pki.ca", name="once", query="q=y")


def test_the_list_asks_the_database_as_often_for_many_filters_as_for_one(
    organization: Organization,
) -> None:
    user = staff(organization, "operator")
    client, counts = signed_in(user), []
    for more in (1, 9):
        for number in range(more):
            name = f"{more} {number}"
            saved_filters.save_filter(
                user, page="devices.device", name=name, query="q=x", organization=organization
            )
        client.get(LIST)
        with CaptureQueriesContext(connection) as queries:
            client.get(f"{LIST}?q=other")
        counts.append(len(queries))
    assert counts[0] == counts[1]
