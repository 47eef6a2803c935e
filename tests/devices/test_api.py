"""Devices in the OpenWISP dialect."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import Organization, User
from controller.configs.models import Config
from controller.configs.rules.devices import deactivate
from controller.configs.rules.push_results import mark_applied, save_progress
from controller.devices.models import Device
from controller.dialects import openwisp
from tests import factories

URL = "/api/v1/controller/device/"


@pytest.fixture
def client(api: Any, admin: User) -> Any:
    return api(admin)


def body(organization: Organization, **values: Any) -> dict[str, Any]:
    return {
        "name": "lisbon",
        "organization": str(organization.pk),
        "mac_address": "00:16:3e:22:41:54",
    } | values


def test_a_device_is_created_with_its_configuration(
    client: Any, organization: Organization
) -> None:
    template = factories.template(organization)
    group = factories.group(organization)
    config = {
        "backend": "netjsonconfig.OpenWrt",
        "templates": [str(template.pk)],
        "context": {"x": "2"},
        "config": factories.a_file("of the device", "etc/own"),
    }
    answer = client.post(
        URL, body(organization, group=str(group.pk), management_ip="127.0.0.1", config=config)
    )
    assert answer.status_code == 201, answer.json()
    assert answer.json()["config"] == {
        "status": "modified",
        "error_reason": "",
        "backend": "netjsonconfig.OpenWrt",
    }
    detail = client.get(f"{URL}{answer.json()['id']}/").json()
    assert detail["config"]["templates"] == [str(template.pk)]
    assert detail["config"]["context"] == {"x": "2"}
    assert detail["is_deactivated"] is False
    archive = client.get(f"{URL}{answer.json()['id']}/configuration/")
    assert archive["Content-Disposition"] == "attachment; filename=lisbon.tar.gz"
    assert archive.content[:2] == b"\x1f\x8b"


def test_a_device_without_configuration_has_none(
    client: Any, organization: Organization
) -> None:
    created = client.post(URL, body(organization)).json()
    assert created["config"] is None
    assert created["last_ip"] is None
    assert len(created["key"]) == 32
    assert client.get(f"{URL}{created['id']}/configuration/").status_code == 404


def test_templates_are_added_removed_and_reordered_by_patch(
    client: Any, organization: Organization
) -> None:
    required = factories.template(organization, required=True)
    one, two = factories.template(organization), factories.template(organization)
    device = factories.device(organization, config={"context": {"kept": "yes"}})
    url = f"{URL}{device.pk}/"
    for asked in ([one, two], [two, one], [], [two]):
        ids = [str(template.pk) for template in asked]
        answer = client.patch(url, {"config": {"templates": ids}})
        assert answer.status_code == 200, answer.json()
        assert answer.json()["config"]["templates"] == [str(required.pk), *ids]
    answer = client.patch(url, {"config": {"context": {"kept": "still"}}}).json()
    assert answer["config"]["templates"] == [str(required.pk), str(two.pk)]
    assert answer["config"]["context"] == {"kept": "still"}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"config": {"interfaces": [{"name": "eth0"}]}}, "__all__"),
        ({"templates": [str(uuid4())]}, "templates"),
        ({"templates": "x"}, "templates"),
        ({"backend": "nothing"}, "backend"),
        ({"config": [1]}, "config"),
        ({"context": 3}, "context"),
    ],
)
def test_a_bad_configuration_is_refused_beside_its_field_and_nothing_is_created(
    client: Any, organization: Organization, config: dict[str, Any], field: str
) -> None:
    asked = {"backend": "netjsonconfig.OpenWrt"} | config
    answer = client.post(URL, body(organization, config=asked))
    assert answer.status_code == 400
    assert field in answer.json()["config"], answer.json()
    assert not Device.objects.exists()


def test_bad_fields_are_told_one_by_one(client: Any, organization: Organization) -> None:
    answer = client.post(URL, body(organization, name="x y", mac_address="zz"))
    assert answer.json() == {
        "name": ["Must be either a valid hostname or mac address."],
        "mac_address": ["Must be a valid mac address."],
    }
    assert client.post(URL, {}).json() == {
        name: ["This field is required."] for name in ("name", "organization", "mac_address")
    }
    factories.device(organization, mac_address="00:16:3E:22:41:54")
    answer = client.post(URL, body(organization))
    assert answer.json() == {
        "non_field_errors": ["The fields mac_address, organization must make a unique set."]
    }
    factories.device(organization, name="LISBON")
    answer = client.post(URL, body(organization, mac_address="00:16:3e:22:41:55"))
    assert answer.json() == {
        "__all__": ["Device with this Name and Organization already exists."]
    }


def test_a_device_goes_out_of_service_before_it_is_deleted(
    client: Any, organization: Organization
) -> None:
    template = factories.template(organization)
    device = factories.device(organization, config={"templates": [template]})
    url = f"{URL}{device.pk}/"
    refused = client.delete(url)
    assert refused.status_code == 403
    assert refused.json() == {"detail": "The device must be deactivated prior to deletion"}
    answer = client.post(f"{url}deactivate/")
    assert (answer.status_code, answer.json()["is_deactivated"]) == (200, True)
    assert answer.json()["config"]["status"] == "deactivating"
    assert answer.json()["config"]["templates"] == []
    assert client.patch(url, {"notes": "zz"}).status_code == 403
    assert client.delete(url).status_code == 403
    config = Config.objects.get()
    mark_applied(config, config.desired_id)
    save_progress([config])
    assert client.get(url).json()["config"]["status"] == "deactivated"
    assert client.post(f"{url}activate/").json()["is_deactivated"] is False
    client.post(f"{url}deactivate/")
    assert client.delete(url).status_code in {204, 403}
    assert client.delete(f"{url}?force=true").status_code in {204, 404}
    assert not Device.objects.exists()


def test_a_list_costs_the_same_queries_for_one_and_for_many(
    client: Any, organization: Organization
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(URL, {"page_size": 100}).status_code == 200
        return len(queries)

    template = factories.template(organization)
    factories.device(organization, config={"templates": [template]})
    cost()  # warm-up: the first use of a token writes last_used
    one = cost()
    for _ in range(12):
        factories.device(organization, config={"templates": [template]})
    assert cost() == one


def test_every_filter_finds_exactly_what_it_names(
    client: Any, organization: Organization
) -> None:
    other = factories.organization()
    group = factories.group(organization)
    template = factories.template(organization)
    wanted = factories.device(
        organization, name="wanted", group=group, config={"templates": [template]}
    )
    unwanted = factories.device(other, name="unlike")
    later = unwanted.created.isoformat()
    for query in (
        {"organization": organization.pk},
        {"organization_slug": organization.slug},
        {"name": "ante"},
        {"mac_address": wanted.mac_address.upper()},
        {"group": group.pk},
        {"config__status": "modified"},
        {"config__backend": "netjsonconfig.OpenWrt"},
        {"config__templates": template.pk},
        {"created": wanted.created.isoformat()},
        {"created__lt": later},
        {"config__templates": template.pk, "organization": organization.pk},
    ):
        found = client.get(URL, query).json()
        assert [row["name"] for row in found["results"]] == ["wanted"], query
    assert client.get(URL, {"created__gte": later}).json()["count"] == 1
    assert (
        client.get(URL, {"config__templates": template.pk, "organization": other.pk}).json()[
            "count"
        ]
        == 0
    )


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"config__status": "zzz"}, "config__status"),
        ({"organization": "zzz"}, "organization"),
        ({"config__templates": "zzz"}, "config__templates"),
        ({"created__gte": "yesterday"}, "created__gte"),
        ({"group": str(uuid4())}, "group"),
    ],
)
def test_a_bad_filter_is_named(client: Any, query: dict[str, str], field: str) -> None:
    answer = client.get(URL, query)
    assert answer.status_code == 400
    assert field in answer.json()


def test_strangers_find_nothing(api: Any, organization: Organization) -> None:
    device = factories.device(organization, config={})
    stranger = api(factories.user(factories.organization()))
    assert stranger.get(URL).json()["count"] == 0
    assert api(factories.user()).get(URL).status_code == 403
    nobody = api(None).get(URL)
    assert (nobody.status_code, nobody["WWW-Authenticate"]) == (401, "Bearer")
    for method, path in (
        ("get", ""), ("put", ""), ("patch", ""), ("delete", ""), ("post", "activate/"),
        ("post", "deactivate/"), ("get", "configuration/"),
    ):  # fmt: skip
        answer = getattr(stranger, method)(f"{URL}{device.pk}/{path}", body(organization))
        assert answer.status_code == 404, (method, path)
    answer = stranger.post(URL, body(organization))
    assert answer.status_code == 400
    assert "does not exist" in answer.json()["organization"][0]


def test_a_role_permits_what_it_says(api: Any, organization: Organization) -> None:
    device = factories.device(organization, config={})
    url = f"{URL}{device.pk}/"
    viewer = api(factories.user(organization, "viewer"))
    assert viewer.get(url).json()["key"] is None
    assert viewer.get(URL).json()["results"][0]["key"] is None
    assert viewer.patch(url, {"notes": "x"}).status_code == 403
    assert viewer.post(URL, body(organization)).status_code == 403
    assert viewer.post(f"{url}deactivate/").status_code == 403
    operator = api(factories.user(organization, "operator"))
    assert operator.get(URL).json()["results"][0]["key"] == device.key
    assert operator.patch(url, {"notes": "x"}).status_code == 200
    both = factories.user(organization, "viewer")
    elsewhere = factories.organization()
    factories.Membership.objects.create(user=both, organization=elsewhere, role="operator")
    assert api(both).patch(url, {"notes": "x"}).status_code == 403
    assert api(both).post(URL, body(organization)).status_code == 403


def test_a_device_moves_to_another_organization_without_the_first_ones_templates(
    client: Any, organization: Organization
) -> None:
    other = factories.organization()
    theirs = factories.template(other, required=True)
    shared = factories.template(None)
    own = factories.template(organization)
    device = factories.device(organization, config={"templates": [own, shared]})
    answer = client.patch(f"{URL}{device.pk}/", {"organization": str(other.pk)})
    assert answer.status_code == 200, answer.json()
    assert answer.json()["config"]["templates"] == [str(theirs.pk), str(shared.pk)]


def test_a_page_that_is_not_there_is_not_found(client: Any) -> None:
    answer = client.get(URL, {"page": 999})
    assert (answer.status_code, answer.json()) == (404, {"detail": "Invalid page."})


def test_a_deactivated_device_has_nothing_left(organization: Organization) -> None:
    device = factories.device(
        organization, config={"config": factories.a_file("x"), "context": {"a": "b"}}
    )
    deactivate(device)
    config = Config.objects.get()
    assert (config.config, config.context) == ({}, {})


def test_a_device_is_shown_alike_by_whoever_writes_and_who_reads_it(
    organization: Organization, api: Any, admin: User
) -> None:
    template = factories.template(organization)
    device = factories.device(
        organization, config={"templates": [template], "context": {"a": "b"}}
    )
    client, path = api(admin), f"/api/v1/controller/device/{device.pk}/"
    written = client.patch(path, {"notes": "seen"}).json()
    assert client.get(path).json() == written
    assert written["config"]["templates"] == [str(template.pk)]


def test_a_long_list_is_counted_once_in_some_seconds(
    organization: Organization, api: Any, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openwisp, "MANY", 0.1)
    openwisp.known_counts.clear()
    for _ in range(3):
        factories.device(organization)
    client = api(admin)

    def counts(path: str) -> list[str]:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(path).json()["count"] == 3
        return [one["sql"] for one in asked if "COUNT(" in one["sql"]]

    url = "/api/v1/controller/device/?page_size=1"
    assert len(counts(url)) == 1
    assert counts(f"{url}&page=2") == []
    assert len(counts(f"{url}&name=device")) == 1
    openwisp.known_counts.clear()
