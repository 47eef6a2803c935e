import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import Organization, User
from controller.configs.models import Config, Push
from controller.devices.models import Device, Presence
from tests import factories

LIST = "/admin/devices/device/"
SECRET = "a-very-secret-wifi-key"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def member(organization: Organization, role: str) -> User:
    return factories.user(organization, role, is_staff=True)


def page(device: Device) -> str:
    return f"{LIST}{device.pk}/change/"


def wifi_template(organization: Organization | None, **values: Any) -> Any:
    return factories.template(
        organization,
        config={
            "interfaces": [
                {
                    "type": "wireless",
                    "name": "wlan0",
                    "wireless": {
                        "mode": "access_point",
                        "radio": "radio0",
                        "ssid": "Guests",
                        "encryption": {"protocol": "wpa2_personal", "key": SECRET},
                    },
                }
            ]
        },
        **values,
    )


def form_of(device: Device, **changes: Any) -> dict[str, Any]:
    """Return the POST data of a device's unchanged form."""
    values = {
        "name": device.name,
        "mac_address": device.mac_address,
        "organization": str(device.organization_id),
        "group": "",
        "management_ip": device.management_ip or "",
        "hardware_id": "",
        "model": device.model,
        "os": "",
        "system": "",
        "key": device.key,
        "notes": "",
        "config_backend": "",
        "config_templates": "[]",
        "config_context": "{}",
        "config_config": "{}",
        "connections-TOTAL_FORMS": "0",
        "connections-INITIAL_FORMS": "0",
    }
    config = Config.objects.filter(device=device).first()
    if config is not None:
        uses = [str(pk) for pk in config.uses.values_list("template", flat=True)]
        values |= {
            "config_backend": config.backend,
            "config_templates": json.dumps(uses),
            "config_context": json.dumps(config.context),
            "config_config": json.dumps(config.config),
        }
    return values | changes


def preview(client: Client, device: Device, **sent: Any) -> Any:
    return client.post(
        f"{LIST}{device.pk}/preview/", json.dumps(sent), content_type="application/json"
    )


@pytest.mark.parametrize("path", ["", "?show=problems", "?config=modified", "?q=device"])
def test_the_list_asks_the_database_as_often_for_forty_devices_as_for_four(
    admin: User, organization: Organization, path: str
) -> None:
    client = signed_in(admin)
    counts = []
    for more in (4, 36):
        for _ in range(more):
            factories.device(organization, group=factories.group(organization), config={})
        Presence.objects.update(state="offline")
        client.get(LIST + path)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(LIST + path).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 14


def test_the_list_shows_only_the_devices_and_choices_of_own_organizations(
    organization: Organization,
) -> None:
    mine = factories.device(organization, name="of-mine")
    other = factories.organization("Somebody Else")
    factories.device(other, name="of-theirs", group=factories.group(other, name="their group"))
    shown = signed_in(member(organization, "viewer")).get(LIST).content.decode()
    assert mine.name in shown
    for foreign in ("of-theirs", "Somebody Else", "their group"):
        assert foreign not in shown


@pytest.mark.parametrize("role", ["org_admin", "operator", "viewer", "guest"])
def test_a_stranger_reaches_neither_the_page_nor_its_buttons(
    organization: Organization, role: str
) -> None:
    device = factories.device(organization, config={})
    stranger = signed_in(member(factories.organization(), role))
    assert stranger.get(page(device)).status_code == 302
    assert preview(stranger, device).status_code in {403, 404}
    for button in ("push", "deactivate"):
        answer = stranger.post(f"{LIST}{device.pk}/{button}/")
        assert answer.status_code in {403, 404}
    device.refresh_from_db()
    assert not device.is_deactivated


def test_a_viewer_sees_the_page_without_its_secrets(organization: Organization) -> None:
    template = wifi_template(organization, default=True)
    device = factories.device(
        organization,
        config={"context": {"vpn_password": "also-secret"}, "templates": [template]},
    )
    viewer = signed_in(member(organization, "viewer"))
    html = viewer.get(page(device)).content.decode()
    told = preview(viewer, device).json()
    assert [file["path"] for file in told["files"]]
    for secret in (SECRET, "also-secret", device.key):
        assert secret not in html
        assert secret not in json.dumps(told)


def test_an_operator_previews_what_is_not_saved(organization: Organization) -> None:
    device = factories.device(organization, config={})
    operator = signed_in(member(organization, "operator"))
    told = preview(
        operator,
        device,
        backend="netjsonconfig.OpenWrt",
        templates=[],
        context={"town": "Bern"},
        config=factories.a_file("from {{ town }} by {{ nobody }}\n"),
    ).json()
    assert told["files"][-1] == {
        "path": "/etc/motd",
        "mode": "0644",
        "text": "from Bern by {{ nobody }}\n",
    }
    assert told["undefined"] == ["nobody"]
    assert {"name": "town", "value": "Bern", "origin": "this device"} in told["variables"]
    assert Config.objects.get(device=device).config == {}


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b'{"config": 1}',
        b'{"context": []}',
        b'{"backend": "nothing"}',
        b'{"templates": "x"}',
        b'{"templates": ["x"]}',
        b'{"templates": [{}]}',
        b'{"config": {"general": 1}}',
        b'{"config": {"interfaces": [{"name": {}}]}}',
        b'{"templates": ["00000000-0000-4000-8000-000000000000"]}',
    ],
)
def test_a_preview_of_nonsense_says_what_is_wrong(
    admin: User, organization: Organization, body: bytes
) -> None:
    device = factories.device(organization, config={})
    answer = signed_in(admin).post(
        f"{LIST}{device.pk}/preview/", body, content_type="application/json"
    )
    assert answer.status_code == 200
    assert answer.json()["error"]


def test_a_preview_cannot_borrow_another_organizations_template(
    organization: Organization,
) -> None:
    device = factories.device(organization, config={})
    theirs = wifi_template(factories.organization())
    answer = preview(
        signed_in(member(organization, "org_admin")), device, templates=[str(theirs.pk)]
    )
    assert answer.json()["error"]
    assert SECRET not in answer.content.decode()


def test_saving_changes_the_configuration_in_one_go(organization: Organization) -> None:
    first, second = factories.template(organization), factories.template(organization)
    device = factories.device(organization, config={})
    operator = signed_in(member(organization, "operator"))
    answer = operator.post(
        page(device),
        form_of(
            device,
            name="lobby",
            config_templates=json.dumps([str(second.pk), str(first.pk)]),
            config_context='{"town": "Bern"}',
            config_config=json.dumps({"general": {"timezone": "UTC"}}),
        ),
    )
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    config = Config.objects.get(device=device)
    assert config.device.name == "lobby"
    assert [use.template for use in config.uses.all()] == [second, first]
    assert config.context == {"town": "Bern"}
    assert config.rendered_revision == config.revision


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("config_config", '{"general": {"hostname": 1}}'),
        ("config_config", "[1]"),
        ("config_config", "{"),
        ("config_context", "[]"),
        ("config_templates", "{"),
        ("config_templates", '["00000000-0000-4000-8000-000000000000"]'),
        ("config_backend", "netjsonconfig.Nothing"),
        ("mac_address", "nonsense"),
        ("organization", "nonsense"),
    ],
)
def test_what_the_rules_refuse_is_said_on_the_page_and_nothing_is_saved(
    admin: User, organization: Organization, field: str, value: str
) -> None:
    device = factories.device(organization, config={})
    answer = signed_in(admin).post(page(device), form_of(device, name="x", **{field: value}))
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors
    device.refresh_from_db()
    assert device.name != "x"


def test_a_device_cannot_be_moved_where_the_user_has_no_say(
    organization: Organization,
) -> None:
    elsewhere = factories.organization()
    user = member(organization, "org_admin")
    elsewhere.memberships.create(user=user, role="viewer")
    device = factories.device(organization)
    where = {"organization": str(elsewhere.pk), "confirmed": "1"}
    answer = signed_in(user).post(f"{LIST}{device.pk}/move/", where)
    assert answer.status_code == 200
    # The device's own page shows the organization read-only as well.
    signed_in(user).post(page(device), form_of(device, organization=str(elsewhere.pk)))
    device.refresh_from_db()
    assert device.organization == organization


def test_adding_a_device_gives_it_the_usual_templates(organization: Organization) -> None:
    usual = factories.template(organization, default=True)
    answer = signed_in(member(organization, "operator")).post(
        f"{LIST}add/",
        {
            "name": "new-one",
            "mac_address": factories.mac(),
            "organization": str(organization.pk),
            "config_backend": "netjsonconfig.OpenWrt",
        },
    )
    device = Device.objects.get(name="new-one")
    assert answer.url == page(device)
    assert list(device.config.templates.all()) == [usual]


def test_a_viewer_is_not_offered_what_they_may_not_do(organization: Organization) -> None:
    device = factories.device(organization, config={})
    viewer = signed_in(member(organization, "viewer"))
    html = viewer.get(LIST).content.decode() + viewer.get(page(device)).content.decode()
    assert "/deactivate/" not in html
    assert 'name="_save"' not in html
    viewer.post(page(device), form_of(device, name="x"))
    device.refresh_from_db()
    assert device.name != "x"


def test_a_device_out_of_service_can_only_be_read_brought_back_or_deleted(
    admin: User, organization: Organization
) -> None:
    device = factories.device(organization)
    client = signed_in(admin)
    assert client.post(f"{LIST}{device.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post(f"{LIST}{device.pk}/deactivate/")
    assert client.post(page(device), form_of(device, name="x")).status_code == 403
    assert client.post(f"{LIST}{device.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Device.objects.filter(pk=device.pk).exists()


def test_push_now_queues_one_push(organization: Organization) -> None:
    device = factories.device(organization, config={}, management_ip="10.0.0.1")
    client = signed_in(member(organization, "operator"))
    factories.connection(device, factories.credentials(organization))
    Push.objects.all().delete()
    assert client.get(f"{LIST}{device.pk}/push/").status_code == 405
    client.post(f"{LIST}{device.pk}/push/")
    client.post(f"{LIST}{device.pk}/push/")
    assert Push.objects.filter(config__device=device).count() == 1
