"""Templates in the OpenWISP dialect, and the effects of changes."""

from typing import Any

import pytest

from controller.accounts.models import Organization, User
from controller.base.leases import LeaseHolder
from controller.configs.models import PUSHES, Config, Template
from controller.configs.rules import push_queue
from controller.configs.rules.push_results import mark_applied, save_progress
from controller.configs.rules.rendering import render_stale
from tests import factories

URL = "/api/v1/controller/template/"


@pytest.fixture
def client(api: Any, admin: User) -> Any:
    return api(admin)


def body(organization: Organization | None, **values: Any) -> dict[str, Any]:
    return {
        "name": "banner",
        "organization": organization and str(organization.pk),
        "backend": "netjsonconfig.OpenWrt",
        "default_values": {"x": "1"},
        "config": factories.a_file("{{x}}"),
    } | values


def apply(config: Config) -> None:
    config.refresh_from_db()
    mark_applied(config, config.desired_id)
    save_progress([config])


def test_a_template_is_created_read_changed_and_deleted(
    client: Any, organization: Organization
) -> None:
    created = client.post(URL, body(organization))
    assert created.status_code == 201, created.json()
    url = f"{URL}{created.json()['id']}/"
    assert client.get(url).json() == created.json()
    changed = client.patch(url, {"notes": "new"}).json()
    assert (changed["notes"], changed["config"]) == ("new", created.json()["config"])
    assert client.put(url, body(organization, name="other")).json()["name"] == "other"
    archive = client.get(f"{url}configuration/")
    assert archive.status_code == 200
    assert archive["Content-Disposition"] == "attachment; filename=other.tar.gz"
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"config": {"interfaces": [{"name": "eth0"}]}}, "__all__"),
        ({"config": {}}, "config"),
        ({"config": "x"}, "config"),
        ({"default_values": []}, "default_values"),
        ({"backend": "x"}, "backend"),
        ({"name": ""}, "name"),
    ],
)
def test_a_bad_template_is_refused(
    client: Any, organization: Organization, changes: dict[str, Any], field: str
) -> None:
    answer = client.post(URL, body(organization) | changes)
    assert answer.status_code == 400, answer.json()
    assert field in answer.json(), answer.json()
    assert not Template.objects.exists()


def test_names_are_unique_within_an_organization_and_against_shared_ones(
    client: Any, organization: Organization
) -> None:
    assert client.post(URL, body(organization)).status_code == 201
    again = client.post(URL, body(organization))
    assert again.json() == {
        "non_field_errors": ["The fields organization, name must make a unique set."]
    }
    assert client.post(URL, body(factories.organization())).status_code == 201
    shared = client.post(URL, body(None))
    assert (shared.status_code, list(shared.json())) == (400, ["name"])


def test_a_change_marks_the_devices_that_have_it_and_no_other(
    client: Any, organization: Organization
) -> None:
    template = factories.template(organization)
    user = factories.device(organization, config={"templates": [template]})
    other = factories.device(organization, config={})
    for device in (user, other):
        apply(device.config)
    client.patch(f"{URL}{template.pk}/", {"config": factories.a_file("changed")})
    assert Config.objects.stale().count() == 1
    render_stale()
    assert not Config.objects.stale().exists()
    statuses = dict(Config.objects.values_list("device", "status"))
    assert statuses == {user.pk: "modified", other.pk: "applied"}


def test_a_change_that_renders_the_same_leaves_it_applied(
    client: Any, organization: Organization
) -> None:
    template = factories.template(organization)
    device = factories.device(organization, config={"templates": [template]})
    apply(device.config)
    client.patch(f"{URL}{template.pk}/", {"default_values": {"unused": "x"}})
    render_stale()
    assert Config.objects.get().status == "applied"


def test_going_back_to_what_is_applied_needs_no_push(organization: Organization) -> None:
    from controller.configs.rules.devices import update_device

    device = factories.device(organization, config={"config": factories.a_file("one")})
    apply(device.config)
    update_device(device, config={"config": factories.a_file("two")})
    assert Config.objects.get().status == "modified"
    update_device(device, config={"config": factories.a_file("one")})
    assert Config.objects.get().status == "applied"


def test_a_template_that_a_device_cannot_render_is_an_error_there_and_says_why(
    organization: Organization,
) -> None:
    from controller.configs.rules.templates import update_template

    template = factories.template(organization, config=factories.a_file("x", "etc/one"))
    device = factories.device(
        organization, config={"templates": [template], "context": {"path": "../up"}}
    )
    update_template(template, config=factories.a_file("x", "etc/{{ path }}"))
    render_stale()
    config = Config.objects.get(device=device)
    assert config.status == "error"
    assert "etc/../up" in config.render_error


def test_required_and_default_templates_join_and_required_ones_stay(
    client: Any, organization: Organization
) -> None:
    optional = factories.template(organization)
    device = factories.device(organization, config={"templates": [optional]})
    required = client.post(URL, body(organization, required=True)).json()
    default = client.post(URL, body(organization, name="d", default=True)).json()
    assert required["default"] is True
    detail = client.get(f"/api/v1/controller/device/{device.pk}/").json()
    assert detail["config"]["templates"] == [required["id"], str(optional.pk), default["id"]]


def test_shared_templates_are_read_by_all_and_written_by_superusers(
    api: Any, client: Any, organization: Organization
) -> None:
    shared = factories.template(None)
    own = api(factories.user(organization))
    assert own.get(f"{URL}{shared.pk}/").status_code == 200
    assert own.patch(f"{URL}{shared.pk}/", {"notes": "x"}).status_code == 403
    assert own.post(URL, body(None)).status_code == 403
    assert client.patch(f"{URL}{shared.pk}/", {"notes": "x"}).status_code == 200
    foreign = factories.template(factories.organization())
    assert own.get(f"{URL}{foreign.pk}/").status_code == 404


def test_every_filter_finds_exactly_what_it_names(
    client: Any, organization: Organization
) -> None:
    factories.template(factories.organization(), backend="netjsonconfig.OpenWisp")
    wanted = factories.template(organization, required=True)
    for query in (
        {"organization": organization.pk}, {"organization_slug": organization.slug},
        {"backend": "netjsonconfig.OpenWrt"}, {"default": "true"}, {"required": "true"},
        {"type": "generic", "created__gte": wanted.created.isoformat()},
    ):  # fmt: skip
        found = client.get(URL, query).json()["results"]
        assert [row["id"] for row in found] == [str(wanted.pk)], query


def test_only_devices_that_can_be_reached_are_queued_and_each_once(
    organization: Organization,
) -> None:
    credentials = factories.credentials(organization)
    reachable = factories.device(organization, management_ip="127.0.0.1", config={})
    factories.connection(reachable, credentials)
    factories.device(organization, config={})
    assert push_queue.reconcile() == 1
    assert push_queue.reconcile() == 0
    (push,) = push_queue.lease_due(LeaseHolder(PUSHES))
    assert push.config.device == reachable
    assert push_queue.lease_due(LeaseHolder(PUSHES)) == []
