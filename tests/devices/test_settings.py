"""Device settings of organizations over the API."""

import pytest

from controller.configs.rules.rendering import render_stale
from controller.devices.rules import settings_of
from tests import factories


@pytest.fixture
def url(organization):
    return f"/api/v1/controller/organization/{organization.pk}/settings/"


def patch(client, url, user, **values):
    return client.patch(
        url, values, content_type="application/json", headers=factories.bearer(user)
    )


def test_settings_are_read_and_changed_one_by_one(client, organization, url):
    user = factories.user(organization)

    read = client.get(url, headers=factories.bearer(user)).json()
    assert read["registration_enabled"] is True
    assert read["shared_secret"] == factories.shared_secret(organization)

    answer = patch(client, url, user, registration_enabled=False, device_limit=3)
    assert answer.status_code == 200
    row = settings_of(organization)
    assert (row.registration_enabled, row.device_limit) == (False, 3)
    assert row.shared_secret == read["shared_secret"]


def test_switching_registration_off_keeps_devices_out(client, organization, url):
    patch(client, url, factories.user(organization), registration_enabled=False)

    answer = client.post(
        "/controller/register/",
        {"secret": factories.shared_secret(organization), "name": "roof", "mac_address": factories.mac(),
         "backend": "netjsonconfig.OpenWrt"},
    )  # fmt: skip

    assert answer.status_code == 403
    assert b"registration disabled" in answer.content


def test_a_new_secret_replaces_the_old_one_at_once(client, organization, url):
    user, former = factories.user(organization), factories.shared_secret(organization)

    answer = client.post(f"{url}rotate-secret/", headers=factories.bearer(user))

    assert answer.json()["shared_secret"] not in {None, former}
    told = {"secret": former, "name": "roof", "mac_address": factories.mac(),
            "backend": "netjsonconfig.OpenWrt"}  # fmt: skip
    assert client.post("/controller/register/", told).status_code == 403
    told["secret"] = answer.json()["shared_secret"]
    answer = client.post("/controller/register/", told)
    assert answer.status_code == 201, answer.content


def test_variables_of_the_organization_reach_its_devices(client, organization, url):
    template = factories.template(organization, config=factories.a_file("{{ town }}\n"))
    device = factories.device(organization, config={"templates": [template], "context": {}})
    before = device.config.desired_id

    assert (
        patch(client, url, factories.user(organization), context={"town": "Rome"}).status_code
        == 200
    )
    render_stale()

    device.config.refresh_from_db()
    assert device.config.desired_id != before


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_who_may_not_change_an_organization_sees_no_secret_of_it(
    client, organization, url, role
):
    user = factories.user(organization, role)

    read = client.get(url, headers=factories.bearer(user))
    assert read.status_code == 200
    assert read.json()["shared_secret"] is None
    assert read.json()["context"] is None
    assert patch(client, url, user, registration_enabled=False).status_code == 403
    assert (
        client.post(f"{url}rotate-secret/", headers=factories.bearer(user)).status_code == 403
    )


def test_a_stranger_finds_no_settings(client, url):
    stranger = factories.bearer(factories.user(factories.organization()))

    assert client.get(url, headers=stranger).status_code == 404
    assert client.post(f"{url}rotate-secret/", headers=stranger).status_code == 404
    assert client.get(url).status_code == 401


@pytest.mark.parametrize(
    "bad", [{"shared_secret": "short"}, {"device_limit": -1}, {"context": ["a"]},
            {"context": None}, {"registration_enabled": "perhaps"}]
)  # fmt: skip
def test_bad_settings_are_told_by_field(client, organization, url, bad):
    answer = patch(client, url, factories.user(organization), **bad)

    assert answer.status_code == 400
    assert list(answer.json()) == list(bad)


def test_a_limit_below_what_is_there_is_refused(client, organization, url):
    factories.device(organization)
    factories.device(organization)

    answer = patch(client, url, factories.user(organization), device_limit=1)

    assert answer.status_code == 400
    assert "has 2 devices already" in answer.json()["device_limit"][0]


def test_no_two_organizations_have_the_same_secret(client, organization, url):
    other = factories.organization()

    answer = patch(
        client, url, factories.user(organization), shared_secret=factories.shared_secret(other)
    )

    assert answer.status_code in {400, 409}
