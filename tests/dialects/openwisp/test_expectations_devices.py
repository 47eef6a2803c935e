"""Numbered expectations of OpenWISP clients about devices."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from controller.accounts.models import Organization
from controller.configs.models import Config, Push, Template
from controller.configs.rules import devices, organization_settings
from controller.configs.rules.push_queue import reconcile
from controller.devices.models import Device
from controller.devices.rules import settings_of
from controller.vpn.models import VpnClient
from tests import factories

URL = "/api/v1/controller/device/"
JSON = "application/json"


@pytest.fixture
def headers(organization: Organization) -> dict[str, str]:
    return factories.bearer(factories.user(organization))


def body(organization: Organization, **more: Any) -> dict[str, Any]:
    return {
        "name": "roof", "organization": str(organization.pk), "mac_address": factories.mac(),
    } | more  # fmt: skip


def post(client: Client, headers: dict[str, str], values: dict[str, Any]) -> Any:
    return client.post(URL, values, content_type=JSON, headers=headers)


def patch(client: Client, headers: dict[str, str], device: Device, **values: Any) -> Any:
    return client.patch(f"{URL}{device.pk}/", values, content_type=JSON, headers=headers)


def put(client: Client, headers: dict[str, str], device: Device, **values: Any) -> Any:
    whole = body(device.organization, name=device.name, mac_address=device.mac_address) | values
    return client.put(f"{URL}{device.pk}/", whole, content_type=JSON, headers=headers)


def has(device: Device) -> list[Template]:
    uses = Config.objects.get(device=device).uses.select_related("template")
    return [use.template for use in uses]


def test_34_a_device_is_created_with_its_configuration(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    template = factories.template(organization)
    config = {"backend": "netjsonconfig.OpenWrt", "context": {"a": "b"}, "config": {},
              "templates": [str(template.pk)]}  # fmt: skip
    answer = post(client, headers, body(organization, config=config))
    assert answer.status_code == 201
    row = Config.objects.get()
    assert (row.context, has(row.device)) == ({"a": "b"}, [template])


def test_35_a_configuration_that_is_all_default_is_made_too_other_than_there(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    config = {"backend": "netjsonconfig.OpenWrt", "context": {}, "config": {}, "templates": []}
    assert post(client, headers, body(organization, config=config)).status_code == 201
    assert Config.objects.exists()


def test_36_a_group_with_templates_brings_a_configuration(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    template = factories.template(organization)
    group = factories.group(organization, templates=[template])
    assert post(client, headers, body(organization, group=str(group.pk))).status_code == 201
    assert has(Device.objects.get()) == [template]


def test_37_templates_of_another_organization_are_refused_by_name(
    client: Client, organization: Organization
) -> None:
    # A superuser sees both; for other users the template does not exist.
    headers = factories.bearer(factories.superuser())
    theirs = factories.template(factories.organization(), name="theirs")
    device = factories.device(organization, config={})
    config = {"backend": "netjsonconfig.OpenWrt", "templates": [str(theirs.pk)]}
    for answer in (
        post(client, headers, body(organization, config=config)),
        patch(client, headers, device, config=config),
    ):
        assert answer.status_code == 400
        assert "theirs" in answer.json()["config"][0]
    assert Device.objects.count() == 1


def test_38_beyond_the_limit_nothing_is_created(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    factories.device(organization)
    organization_settings.update_settings(settings_of(organization), device_limit=1)
    assert post(client, headers, body(organization)).status_code == 400
    assert Device.objects.count() == 1


@pytest.mark.parametrize("name", ["a b", "", "x" * 65, "a_b!", "-a"])
def test_39_a_bad_name_is_refused(
    client: Client, organization: Organization, headers: dict[str, str], name: str
) -> None:
    answer = post(client, headers, body(organization, name=name))
    assert answer.status_code == 400
    assert "name" in answer.json()


def test_40_the_newest_comes_first_in_the_same_few_queries(
    client: Client,
    organization: Organization,
    headers: dict[str, str],
    django_assert_max_num_queries: Any,
) -> None:
    rows = [factories.device(organization, config={}) for _ in range(4)]
    with django_assert_max_num_queries(5):
        found = client.get(URL, headers=headers).json()["results"]
    assert [one["id"] for one in found] == [str(row.pk) for row in reversed(rows)]


def test_41_each_filter_finds_exactly_its_match_and_all_combine(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    template, group = factories.template(organization), factories.group(organization)
    wanted = factories.device(
        organization, name="wanted", mac_address="02:00:00:AA:BB:CC", group=group,
        config={"templates": [template]},
    )  # fmt: skip
    other = factories.device(
        organization, name="other", config={"backend": "netjsonconfig.OpenWisp"}
    )
    old = timezone.now() - timedelta(days=9)
    Device.objects.filter(pk=other.pk).update(created=old)
    Config.objects.filter(device=other).update(render_error="it cannot be")
    day = (timezone.now() - timedelta(days=1)).isoformat()
    narrow = {
        "name": "WANT", "mac_address": "aa:bb", "group": group.pk, "config__status": "modified",
        "config__backend": "netjsonconfig.OpenWrt", "config__templates": template.pk,
        "created__gte": day, "created": wanted.created.isoformat(),
    }  # fmt: skip
    for name, value in narrow.items():
        found = client.get(URL, {name: value}, headers=headers).json()["results"]
        assert [one["name"] for one in found] == ["wanted"], name
    same = {"organization": organization.pk, "organization_slug": organization.slug,
            "with_geo": "false"}  # fmt: skip
    for name, value in same.items():
        assert client.get(URL, {name: value}, headers=headers).json()["count"] == 2, name
    every = client.get(URL, narrow | same, headers=headers).json()
    assert [one["name"] for one in every["results"]] == ["wanted"]
    before = client.get(URL, {"created__lt": day}, headers=headers).json()["results"]
    assert [one["name"] for one in before] == ["other"]
    # In OpenWISP the filter by template disables all others.
    none = {"config__templates": template.pk, "organization": factories.organization().pk}
    assert (
        client.get(URL, none, headers=factories.bearer(factories.superuser())).json()["count"]
        == 0
    )


@pytest.mark.parametrize(
    "value", ["none", "1", "a,b", "00000000-0000-4000-8000-000000000000,x"]
)
def test_42_a_template_that_is_no_id_is_a_400(
    client: Client, organization: Organization, headers: dict[str, str], value: str
) -> None:
    answer = client.get(URL, {"config__templates": value}, headers=headers)
    assert answer.status_code == 400
    assert answer.json() == {"config__templates": "Invalid UUID format"}


def test_42_several_templates_narrow_the_list_other_than_there(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    one, two = factories.template(organization), factories.template(organization)
    both = factories.device(organization, config={"templates": [one, two]})
    factories.device(organization, config={"templates": [one]})
    asked = {"config__templates": f"{one.pk},{two.pk}"}
    found = client.get(URL, asked, headers=headers).json()["results"]
    assert [row["id"] for row in found] == [str(both.pk)]


def test_43_a_device_without_configuration_says_null(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    device = factories.device(organization)
    assert client.get(f"{URL}{device.pk}/", headers=headers).json()["config"] is None


def test_44_another_backend_brings_the_groups_templates_of_it(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    here = factories.template(organization)
    there = factories.template(organization, backend="netjsonconfig.OpenWisp")
    group = factories.group(organization, templates=[here, there])
    device = factories.device(organization, name="roof", group=group)
    assert has(device) == [here]
    answer = put(
        client, headers, device, group=str(group.pk),
        config={"backend": "netjsonconfig.OpenWisp", "context": {}, "config": {}},
    )  # fmt: skip
    assert answer.status_code == 200, answer.content
    assert has(device) == [there]


def test_45_another_organization_brings_its_required_templates(
    client: Client, organization: Organization
) -> None:
    other = factories.organization()
    required = factories.template(other, required=True)
    device = factories.device(
        organization, config={"templates": [factories.template(organization)]}
    )
    headers = factories.bearer(factories.superuser())
    assert patch(client, headers, device, organization=str(other.pk)).status_code == 200
    assert has(device) == [required]


def test_46_a_deactivated_device_is_not_changed(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    device = factories.device(organization, name="roof", config={})
    devices.deactivate(device)
    assert put(client, headers, device, name="other").status_code == 403
    assert patch(client, headers, device, name="other").status_code == 403
    assert client.get(f"{URL}{device.pk}/", headers=headers).status_code == 200


def test_47_only_a_deactivated_device_is_deleted_unless_forced(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    active = factories.device(organization)
    leaving = factories.device(organization, config={"config": factories.a_file("x\n")})
    gone = factories.device(organization)
    devices.deactivate(leaving)
    devices.deactivate(gone)
    for device in (active, leaving):
        answer = client.delete(f"{URL}{device.pk}/", headers=headers)
        assert answer.status_code == 403
        assert answer.json() == {"detail": "The device must be deactivated prior to deletion"}
    assert client.delete(f"{URL}{gone.pk}/", headers=headers).status_code == 204
    assert client.delete(f"{URL}{active.pk}/?force=true", headers=headers).status_code == 204
    assert [device.pk for device in Device.objects.all()] == [leaving.pk]


def test_48_templates_follow_the_group_and_go_with_it(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    first, second = factories.template(organization), factories.template(organization)
    one = factories.group(organization, templates=[first])
    two = factories.group(organization, templates=[second])
    device = factories.device(organization, name="roof", group=one)
    assert put(client, headers, device, group=str(two.pk)).status_code == 200
    assert has(device) == [second]
    assert put(client, headers, device, group=None).status_code == 200
    assert has(device) == []


def test_49_one_server_is_joined_by_one_template(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    vpn = factories.openvpn(organization)
    one, two = factories.vpn_template(vpn), factories.vpn_template(vpn)
    device = factories.device(organization, name="roof", config={"templates": [one]})
    before = VpnClient.objects.get()

    def send(*chosen: Template) -> Any:
        config = {"backend": "netjsonconfig.OpenWrt", "context": {}, "config": {},
                  "templates": [str(template.pk) for template in chosen]}  # fmt: skip
        return put(client, headers, device, config=config)

    assert send(one, two).status_code == 400
    assert has(device) == [one]
    assert send(two).status_code == 200
    assert has(device) == [two]
    # Swapping templates of one server issues no new certificate.
    assert VpnClient.objects.get().cert == before.cert


def test_50_only_a_variable_that_is_used_leads_to_a_push(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    template = factories.template(organization, config=factories.a_file("{{ used }}\n"))
    device = factories.device(
        organization, management_ip="127.0.0.1",
        config={"templates": [template], "context": {"used": "1"}},
    )  # fmt: skip
    factories.connection(device, factories.credentials(organization))
    reconcile()
    row = Config.objects.get()
    row.applied = row.desired
    row.save()
    Push.objects.all().delete()

    assert (
        patch(
            client, headers, device, config={"context": {"used": "1", "other": "2"}}
        ).status_code
        == 200
    )
    row.refresh_from_db()
    assert (row.status, Push.objects.count()) == ("applied", 0)
    assert patch(client, headers, device, config={"context": {"used": "2"}}).status_code == 200
    row.refresh_from_db()
    assert (row.status, Push.objects.count()) == ("modified", 1)
