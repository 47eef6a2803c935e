"""Device groups and their effect on configurations."""

from typing import Any

import pytest

from controller.accounts.models import Organization, User
from controller.configs.rules.rendering import render_stale
from tests import factories

URL = "/api/v1/controller/group/"
DEVICES = "/api/v1/controller/device/"


@pytest.fixture
def client(api: Any, admin: User) -> Any:
    return api(admin)


def templates_of(client: Any, device: Any) -> list[str]:
    found: list[str] = client.get(f"{DEVICES}{device.pk}/").json()["config"]["templates"]
    return found


def test_templates_come_and_go_with_the_group(client: Any, organization: Organization) -> None:
    own, one, two = (factories.template(organization) for _ in range(3))
    first = factories.group(organization, templates=[one])
    second = factories.group(organization, templates=[two])
    device = factories.device(organization, group=first, config={"templates": [own]})
    url = f"{DEVICES}{device.pk}/"
    assert templates_of(client, device) == [str(one.pk), str(own.pk)]
    client.patch(url, {"group": str(second.pk)})
    assert templates_of(client, device) == [str(own.pk), str(two.pk)]
    client.patch(f"{URL}{second.pk}/", {"templates": [str(one.pk)]})
    assert templates_of(client, device) == [str(own.pk), str(one.pk)]
    client.patch(f"{URL}{second.pk}/", {"description": "says nothing of templates"})
    assert templates_of(client, device) == [str(own.pk), str(one.pk)]
    client.patch(url, {"group": None})
    assert templates_of(client, device) == [str(own.pk)]


def test_a_groups_variables_reach_its_devices(client: Any, organization: Organization) -> None:
    template = factories.template(organization, config=factories.a_file("{{ color }}"))
    group = factories.group(organization, context={"color": "red"})
    device = factories.device(organization, group=group, config={"templates": [template]})
    before = client.get(f"{DEVICES}{device.pk}/configuration/").content
    client.patch(f"{URL}{group.pk}/", {"context": {"color": "blue"}})
    render_stale()
    assert client.get(f"{DEVICES}{device.pk}/configuration/").content != before


def test_empty_true_finds_groups_with_devices_as_the_original_does(
    client: Any, organization: Organization
) -> None:
    used, empty = factories.group(organization), factories.group(organization)
    for _ in range(2):
        factories.device(organization, group=used)
    for asked, expected in (("true", used), ("false", empty)):
        found = client.get(URL, {"empty": asked}).json()["results"]
        assert [row["id"] for row in found] == [str(expected.pk)]


def test_a_group_with_another_organizations_template_is_refused(
    client: Any, organization: Organization
) -> None:
    foreign = factories.template(factories.organization())
    body = {"name": "g", "organization": str(organization.pk), "templates": [str(foreign.pk)]}
    answer = client.post(URL, body)
    assert (answer.status_code, list(answer.json())) == (400, ["templates"])


def test_a_device_stays_when_its_group_is_deleted(
    client: Any, organization: Organization
) -> None:
    template = factories.template(organization)
    group = factories.group(organization, templates=[template])
    device = factories.device(organization, group=group, config={})
    assert client.delete(f"{URL}{group.pk}/").status_code == 204
    assert templates_of(client, device) == []
