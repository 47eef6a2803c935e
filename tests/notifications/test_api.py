from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.accounts.rules import api_keys
from controller.devices.models import Device, Presence
from controller.devices.rules import Observation, record_observations
from controller.notifications.models import Notification, Webhook
from controller.notifications.rules import recipients
from tests import factories

pytestmark = pytest.mark.django_db
ROOT = "/api/v1/notifications/"
Api = Callable[[User | None], APIClient]


@pytest.fixture
def operator(organization: Organization) -> User:
    return factories.user(organization, "operator")


@pytest.fixture
def device(organization: Organization, operator: User) -> Device:
    row = factories.device(organization, name="ap-1")
    record_observations([Observation(row.pk, Presence.State.OFFLINE, "no answer")])
    recipients.dispatch_notices()
    return row


def test_a_list_has_the_names_that_clients_know(
    api: Api, operator: User, device: Device
) -> None:
    answer = api(operator).get(f"{ROOT}notification/", {"unread": "true"}).json()
    (row,) = answer["results"]
    assert answer["count"] == 1
    assert row["message"] == "ap-1 is offline: no answer"
    assert row["level"] == "error"
    assert row["unread"] is True
    assert row["target_url"].endswith(f"/admin/devices/device/{device.pk}/change/")
    assert set(row) == {
        "id", "message", "description", "unread", "target_url", "email_subject", "timestamp",
        "level",
    }  # fmt: skip


def test_lists_cost_the_same_however_long_they_are(
    api: Api, operator: User, device: Device, django_assert_num_queries: Any
) -> None:
    client = api(operator)
    client.get(f"{ROOT}notification/")
    with django_assert_num_queries(4):
        client.get(f"{ROOT}notification/")
    more = [factories.device(device.organization) for _ in range(8)]
    record_observations([Observation(one.pk, Presence.State.OFFLINE) for one in more])
    recipients.dispatch_notices()
    with django_assert_num_queries(4):
        assert client.get(f"{ROOT}notification/").json()["count"] == 9


def test_one_is_read_by_patch_by_redirect_or_with_all_others(
    api: Api, operator: User, device: Device
) -> None:
    client, row = api(operator), Notification.objects.get()
    one = f"{ROOT}notification/{row.pk}/"
    shown = client.get(one).json()
    assert (shown["type"], shown["target_object_id"]) == (
        "connection_is_not_working", str(device.pk),
    )  # fmt: skip
    assert client.patch(one, {"unread": False}).json()["unread"] is False
    client.patch(one, {"unread": True})
    went = client.get(f"{one}redirect/")
    assert (went.status_code, went["Location"]) == (
        302, f"/admin/devices/device/{device.pk}/change/",
    )  # fmt: skip
    client.patch(one, {"unread": True})
    assert client.post(f"{ROOT}notification/read/").status_code == 200
    assert client.get(f"{ROOT}notification/", {"unread": "true"}).json()["count"] == 0
    assert client.delete(one).status_code == 204
    assert client.get(one).status_code == 404


def test_nobody_reads_those_of_others(api: Api, device: Device, admin: User) -> None:
    row = Notification.objects.get(recipient__is_superuser=False)
    for user in (factories.user(device.organization), admin):
        assert api(user).get(f"{ROOT}notification/{row.pk}/").status_code == 404
        assert api(user).delete(f"{ROOT}notification/{row.pk}/").status_code == 404
    assert api(None).get(f"{ROOT}notification/").status_code == 401


def test_who_leaves_the_organization_sees_them_no_more(
    api: Api, operator: User, device: Device
) -> None:
    operator.memberships.all().delete()
    factories.user(factories.organization(), username="x")
    assert api(operator).get(f"{ROOT}notification/").json()["count"] == 0


def test_a_key_for_devices_alone_reads_none(api: Api, operator: User, device: Device) -> None:
    _, secret = api_keys.create_key(operator, name="k", scopes=["device:read"])
    client = APIClient()
    answer = client.get(f"{ROOT}notification/", HTTP_X_API_KEY=secret)
    assert answer.status_code == 403


def test_a_device_is_muted_by_either_name(api: Api, operator: User, device: Device) -> None:
    client, one = api(operator), f"{ROOT}notification/ignore/config/device/{device.pk}/"
    assert client.get(one).status_code == 404
    made = client.put(one, {"valid_till": "2100-01-01T00:00:00Z"})
    assert made.status_code == 201
    assert made.json()["object_id"] == str(device.pk)
    assert isinstance(made.json()["object_content_type"], int)
    ours = f"{ROOT}notification/ignore/devices/device/{device.pk}/"
    assert client.get(ours).json() == made.json()
    assert client.get(f"{ROOT}notification/ignore/").json()["count"] == 1
    assert client.put(one, {"valid_till": "tomorrow"}).status_code == 400
    assert client.delete(one).status_code == 204
    assert client.delete(one).status_code == 404


@pytest.mark.parametrize(
    "what", ["devices/device/{}", "accounts/user/{}", "no/thing/{}", "devices/device/x"]
)
def test_what_one_does_not_know_of_cannot_be_muted(what: str, api: Api, operator: User) -> None:
    other = factories.device(factories.organization())
    one = f"{ROOT}notification/ignore/{what.format(other.pk)}/"
    assert api(operator).put(one, {}).status_code == 404


def test_settings_are_listed_changed_and_inherited(api: Api, operator: User) -> None:
    client, organization = api(operator), operator.memberships.get().organization
    mine = client.get(f"{ROOT}user/user-setting/", {"page_size": 100}).json()["results"]
    general = next(row for row in mine if row["organization"] is None)
    assert {row["type"] for row in mine} >= {None, "config_error", "connection_is_working"}
    assert all(row["web"] is True for row in mine)
    one = next(row for row in mine if row["type"] == "config_error")
    changed = client.patch(f"{ROOT}user/user-setting/{one['id']}/", {"email": False})
    assert (changed.json()["email"], changed.json()["web"]) == (False, True)
    client.put(f"{ROOT}user/user-setting/{general['id']}/", {"web": False, "email": False})
    again = client.get(f"{ROOT}user/{operator.pk}/user-setting/", {"page_size": 100}).json()
    assert not any(row["web"] or row["email"] for row in again["results"])
    url = f"{ROOT}user/{operator.pk}/organization/{organization.pk}/setting/"
    assert client.post(url, {"web": True}).status_code == 201
    found = client.get(
        f"{ROOT}user/user-setting/",
        {"organization_slug": organization.slug, "type": "config_error"},
    ).json()["results"]
    assert [row["web"] for row in found] == [True]


def test_settings_of_others_are_for_superusers(api: Api, operator: User, admin: User) -> None:
    other = factories.user(factories.organization())
    url = f"{ROOT}user/{other.pk}/user-setting/"
    assert api(operator).get(url).status_code == 403
    assert api(admin).get(url).status_code == 200
    assert api(admin).get(f"{ROOT}user/{uuid4()}/user-setting/").status_code == 404


def test_an_organizations_settings_are_its_managers(
    api: Api, organization: Organization, operator: User
) -> None:
    url = f"{ROOT}organization/{organization.pk}/setting/"
    assert api(operator).get(url).json() == {
        "organization": str(organization.pk), "web": True, "email": True,
    }  # fmt: skip
    assert api(operator).patch(url, {"web": False}).status_code == 403
    manager = api(factories.user(organization))
    assert manager.put(url, {"web": False, "email": False}).json()["web"] is False
    assert manager.patch(url, {"web": "maybe"}).status_code == 400
    assert api(factories.user(factories.organization())).get(url).status_code == 404


def test_webhooks_are_managed_and_keep_their_secret(
    api: Api, organization: Organization
) -> None:
    client = api(factories.user(organization))
    given = {
        "organization": str(organization.pk),
        "name": "chat",
        "url": "https://example.org/x",
    }
    made = client.post(f"{ROOT}webhook/", given)
    assert made.status_code == 201
    assert "secret" not in made.json()
    one = f"{ROOT}webhook/{made.json()['id']}/"
    before = Webhook.objects.get().secret
    shown = client.post(f"{one}rotate/").json()["secret"]
    assert shown == Webhook.objects.get().secret != before
    assert client.patch(one, {"kinds": ["nonsense"]}).status_code == 400
    assert client.patch(one, {"secret": "short"}).status_code == 400
    assert client.patch(one, {"kinds": ["config_error"]}).status_code == 200
    for role in ("viewer", "operator"):
        assert api(factories.user(organization, role)).get(f"{ROOT}webhook/").status_code == 403
    assert api(factories.user(factories.organization())).get(one).status_code == 404
    assert client.delete(one).status_code == 204
