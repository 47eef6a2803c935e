"""Version history of devices, templates, groups and VPN servers."""

import pytest
from django.db import connection
from django.test import Client

from controller.accounts.engine import diff
from controller.accounts.models import Version
from controller.base.errors import Conflict
from controller.configs.models import Template
from controller.configs.rules import devices, groups, templates, versions
from controller.configs.rules.vpn_servers import update_vpn
from controller.devices.models import Device, DeviceGroup
from controller.vpn.models import Vpn
from controller.vpn.rules import delete_vpn
from tests import factories


def kept(row):
    return list(Version.objects.filter(row=row.pk).order_by("number"))


def test_every_change_of_a_device_is_a_version_and_no_change_is_none(organization):
    template = factories.template(organization)
    device = factories.device(organization, name="roof", config={"templates": []})
    devices.update_device(device, notes="on the roof")
    devices.update_device(device, notes="on the roof")
    devices.update_device(device, config={"templates": [template], "context": {"a": "b"}})

    found = kept(device)
    assert [one.verb for one in found] == ["created", "changed", "changed"]
    assert [one.changed for one in found] == [[], ["notes"], ["configuration"]]
    assert found[1].values["notes"] == "on the roof"
    assert "key" not in found[1].values


def test_what_a_version_holds_is_not_stored_in_clear(organization):
    factories.device(organization, config={"context": {"wifi_password": "correct horse"}})

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_version")
        assert "correct horse" not in str(cursor.fetchall())


def test_a_device_goes_back_with_its_templates_and_variables(organization):
    one, other = factories.template(organization), factories.template(organization)
    device = factories.device(
        organization, name="roof", config={"templates": [one], "context": {"a": "1"}}
    )
    devices.update_device(device, name="cellar", config={"templates": [other], "context": {}})

    versions.restore(kept(device)[0])

    device = Device.objects.get()
    assert device.name == "roof"
    assert [use.template for use in device.config.uses.all()] == [one]
    assert device.config.context == {"a": "1"}
    assert kept(device)[-1].verb == "restored"


def test_a_deactivated_device_gets_back_what_it_lost_once_it_is_active(organization):
    template = factories.template(organization)
    device = factories.device(organization, config={"templates": [template]})
    before = kept(device)[-1]
    device = devices.activate(devices.deactivate(device))
    assert not device.config.uses.exists()

    versions.restore(before)

    assert [use.template for use in Device.objects.get().config.uses.all()] == [template]


def test_a_deleted_device_comes_back_under_its_id(organization):
    group = factories.group(organization)
    device = factories.device(
        organization, name="roof", group=group, config={"context": {"a": "1"}}
    )
    pk, key = device.pk, device.key
    devices.delete_device(device, force=True)
    (version,) = versions.latest_of_deleted("device")

    versions.restore(version)

    again = Device.objects.get(pk=pk)
    assert (again.name, again.group, again.config.context) == ("roof", group, {"a": "1"})
    assert again.key == key
    assert not versions.latest_of_deleted("device").exists()


def test_what_is_gone_since_is_told_and_left_out(organization):
    template, group = factories.template(organization), factories.group(organization)
    device = factories.device(organization, group=group, config={"templates": [template]})
    version = kept(device)[0]
    devices.update_device(device, group=None, config={"templates": []})
    templates.delete_template(template)
    groups.delete_group(group)

    found = versions.preview_restore(version)
    assert found.notes == [
        "Its group of then is gone; it is left empty.",
        "1 of its templates are gone; they are left out.",
    ]
    assert versions.restore(version).group is None


def test_going_back_never_moves_a_row_to_another_organization(organization):
    device = factories.device(organization)
    version = kept(device)[0]
    other = factories.organization()
    devices.update_device(device, organization=other)

    assert "Its organization stays as it is." in versions.preview_restore(version).notes
    assert versions.restore(version).organization == other


def test_templates_and_groups_go_back_and_their_devices_follow(organization):
    template = factories.template(organization, name="motd", config=factories.a_file("one\n"))
    group = factories.group(organization, templates=[template])
    device = factories.device(organization, group=group)
    templates.update_template(template, config=factories.a_file("two\n"))
    groups.update_group(group, templates=[])
    assert not device.config.uses.exists()

    versions.restore(kept(template)[0])
    versions.restore(kept(group)[0])

    assert Template.objects.get().config == factories.a_file("one\n")
    assert [use.template for use in device.config.uses.all()] == [template]


def test_deleted_templates_groups_and_servers_come_back(organization):
    template, group = factories.template(organization), factories.group(organization)
    vpn = factories.openvpn(organization)
    ids = template.pk, group.pk, vpn.pk
    templates.delete_template(template)
    groups.delete_group(group)
    delete_vpn(vpn)

    for kind in ("template", "group", "vpn"):
        versions.restore(versions.latest_of_deleted(kind).get())

    assert (
        Template.objects.get().pk,
        DeviceGroup.objects.get().pk,
        Vpn.objects.get().pk,
    ) == ids
    assert Vpn.objects.get().cert is not None


def test_a_server_goes_back(organization):
    vpn = factories.wireguard(organization, host="one.example.org")
    update_vpn(vpn, host="two.example.org", auth_token="a secret token")

    assert versions.restore(kept(vpn)[0]).host == "one.example.org"


def test_what_the_rules_refuse_now_does_not_come_back(organization):
    device = factories.device(organization, name="roof")
    version = kept(device)[0]
    devices.update_device(device, name="cellar")
    factories.device(organization, name="roof")

    with pytest.raises(Exception, match="already exists"):
        versions.restore(version)
    device.refresh_from_db()
    assert device.name == "cellar"


def test_a_template_in_use_that_cannot_go_back_says_why(organization):
    template = factories.template(organization)
    templates.update_template(template, backend="netjsonconfig.OpenWisp")
    factories.device(
        organization, config={"backend": "netjsonconfig.OpenWisp", "templates": [template]}
    )

    with pytest.raises(Conflict, match="keeps its organization and its backend"):
        versions.restore(kept(template)[0])


def test_texts_stand_side_by_side_line_by_line():
    (change,) = diff.changes({"a": {"x": 1, "y": 2}}, {"a": {"x": 1, "y": 3, "z": 4}})

    assert [(line.before, line.after, line.differs) for line in change.lines] == [
        ("{", "{", False),
        ('  "x": 1,', '  "x": 1,', False),
        ('  "y": 2', '  "y": 3,', True),
        (None, '  "z": 4', True),
        ("}", "}", False),
    ]


URL = "/api/v1/controller/version/"


def test_versions_are_listed_read_and_gone_back_to_over_the_api(client, organization):
    device = factories.device(organization, name="roof", config={"context": {"a": "1"}})
    devices.update_device(device, name="cellar")
    headers = factories.bearer(factories.user(organization, username="ann"))

    listed = client.get(f"{URL}device/", {"row": device.pk}, headers=headers).json()
    assert [one["number"] for one in listed["results"]] == [2, 1]
    first = listed["results"][1]["id"]
    shown = client.get(f"{URL}device/{first}/", headers=headers).json()
    assert shown["changes"] == [{"field": "name", "before": "cellar", "after": "roof"}]
    assert shown["values"]["configuration"]["context"] == {"a": "1"}

    done = client.post(f"{URL}device/{first}/restore/", headers=headers)
    assert done.status_code == 200
    assert (done.json()["verb"], done.json()["actor"]) == ("restored", "ann")
    assert Device.objects.get().name == "roof"


@pytest.mark.parametrize("kind", ["device", "template", "group", "vpn"])
def test_strangers_find_no_versions_and_viewers_go_back_to_none(client, organization, kind):
    rows = {
        "device": factories.device, "template": factories.template, "group": factories.group,
        "vpn": factories.wireguard,
    }  # fmt: skip
    version = kept(rows[kind](organization))[0]
    stranger = factories.bearer(factories.user(factories.organization()))
    viewer = factories.bearer(factories.user(organization, "viewer"))
    url = f"{URL}{kind}/{version.pk}/"

    assert client.get(f"{URL}{kind}/", headers=stranger).json()["count"] == 0
    assert client.get(url, headers=stranger).status_code == 404
    assert client.post(f"{url}restore/", headers=stranger).status_code == 404
    assert client.get(url, headers=viewer).status_code == 200
    assert client.post(f"{url}restore/", headers=viewer).status_code == 403


def test_viewers_see_no_secrets_of_former_versions(client, organization):
    device = factories.device(
        organization, config={"context": {"wifi_password": "correct horse"}}
    )
    devices.update_device(device, config={"context": {}})
    viewer = factories.bearer(factories.user(organization, "viewer"))

    answer = client.get(f"{URL}device/{kept(device)[0].pk}/", headers=viewer)

    assert "correct horse" not in answer.content.decode()
    assert answer.json()["masked"] is True


def test_versions_of_a_device_in_a_site_are_for_those_with_a_grant(client, organization):
    from controller.accounts.models import Site

    site = Site.objects.create(organization=organization, name="attic", slug="attic")
    device = factories.device(organization, site=site)
    other = factories.bearer(factories.user(organization, "operator"))

    listed = client.get(f"{URL}device/", {"row": device.pk}, headers=other).json()
    assert listed["count"] == 0


def test_the_list_takes_the_same_queries_however_many(
    client, organization, django_assert_max_num_queries
):
    device = factories.device(organization)
    for number in range(12):
        devices.update_device(device, notes=str(number))
    headers = factories.bearer(factories.user(organization))
    with django_assert_max_num_queries(5):
        client.get(f"{URL}device/", {"row": device.pk}, headers=headers)


def test_the_admin_compares_a_version_and_goes_back(client: Client, organization):
    client.force_login(factories.superuser())
    template = factories.template(organization, name="motd", config=factories.a_file("one\n"))
    templates.update_template(template, config=factories.a_file("two\n"))
    base = f"/admin/configs/template/{template.pk}"

    assert "Versions" in client.get(f"{base}/change/").content.decode()
    assert "Compare" in client.get(f"{base}/versions/").content.decode()
    shown = client.get(f"{base}/versions/1/").content.decode()
    assert "one\\n" in shown
    assert "two\\n" in shown
    assert client.post(f"{base}/versions/1/").status_code == 302

    template.refresh_from_db()
    assert template.config == factories.a_file("one\n")


def test_the_admin_brings_back_what_was_deleted(client: Client, organization):
    client.force_login(factories.superuser())
    device = factories.device(organization, name="roof")
    pk = device.pk
    devices.delete_device(device, force=True)

    assert "roof" in client.get("/admin/devices/device/deleted/").content.decode()
    assert client.post(f"/admin/devices/device/{pk}/versions/2/").status_code == 302
    assert Device.objects.get().pk == pk


def test_the_admin_lets_viewers_look_and_no_more(client: Client, organization):
    client.force_login(factories.user(organization, "viewer", is_staff=True))
    device = factories.device(organization, name="roof")
    devices.update_device(device, name="cellar")
    base = f"/admin/devices/device/{device.pk}/versions"

    assert "Go back to it" not in client.get(f"{base}/1/").content.decode()
    assert client.post(f"{base}/1/").status_code == 403
    client.force_login(factories.user(factories.organization(), is_staff=True))
    assert client.get(f"{base}/1/").status_code == 404
