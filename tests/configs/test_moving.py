"""Moving a device to another organization: preview and effects."""

import pytest

from controller.accounts.models import Membership, Version
from controller.base.errors import Conflict
from controller.configs.models import Config
from controller.configs.rules import organization_settings, organization_transfer
from controller.connections.models import DeviceConnection
from controller.devices.models import Device
from controller.devices.rules import settings_of
from pki.models import Cert
from tests import factories


@pytest.fixture
def other():
    return factories.organization("Elsewhere")


@pytest.fixture
def device(organization):
    """Return a device with every kind of row affected by a move."""
    shared_server = factories.openvpn(None, name="shared server")
    organization_settings.update_settings(settings_of(organization), context={"town": "Rome"})
    templates = [
        factories.vpn_template(shared_server, name="tunnel"),
        factories.template(None, name="everybody", config=factories.a_file("{{ town }}\n")),
        factories.template(
            organization, name="ours", config=factories.a_file("x\n", "etc/issue")
        ),
    ]
    row = factories.device(
        organization,
        name="roof",
        group=factories.group(organization, name="roofs"),
        config={"templates": templates, "context": {"mine": "1"}},
    )
    factories.connection(row, factories.credentials(organization, name="our key"))
    factories.connection(row, factories.credentials(None, name="shared key"))
    return Device.objects.get(pk=row.pk)


def test_a_plan_says_what_is_kept_added_dropped_and_revoked(device, other):
    factories.template(other, name="theirs", required=True)
    factories.template(other, name="usual", default=True)
    factories.credentials(other, name="their key", auto_add=True)

    found = organization_transfer.plan_transfer(device, organization=other)

    assert found.problem == ""
    assert set(found.kept) >= {
        "Template tunnel", "Template everybody", "Own variable mine", "Credentials shared key",
    }  # fmt: skip
    assert set(found.added) == {"Template theirs", "Template usual", "Credentials their key"}
    assert set(found.dropped) == {
        "Group roofs", "Template ours", "Credentials our key",
        "Variable town of its organization",
    }  # fmt: skip
    assert len(found.revoked) == 1
    assert "shared server" in found.revoked[0]
    assert found.undefined == ["town"]


def test_a_plan_changes_nothing(device, other):
    certs, kept = Cert.objects.count(), Version.objects.count()
    snapshot = Config.objects.get().desired_id

    organization_transfer.plan_transfer(device, organization=other)

    again = Device.objects.get()
    assert (again.organization, again.group.name) == (device.organization, "roofs")
    assert DeviceConnection.objects.count() == 2
    assert (Cert.objects.count(), Version.objects.count()) == (certs, kept)
    assert not Cert.objects.filter(revoked=True).exists()
    assert Config.objects.get().desired_id == snapshot


def test_a_move_does_what_the_plan_said(device, other):
    factories.template(other, name="theirs", required=True)
    group = factories.group(other, name="there")
    before = Cert.objects.get(vpn_client__device=device)

    moved = organization_transfer.transfer(device, organization=other, group=group)

    assert (moved.organization, moved.group) == (other, group)
    names = [use.template.name for use in Config.objects.get().uses.all()]
    assert set(names) == {"theirs", "tunnel", "everybody"}
    assert [one.credentials.name for one in moved.connections.all()] == ["shared key"]
    before.refresh_from_db()
    assert before.revoked
    after = Cert.objects.get(vpn_client__device=device)
    assert after != before
    assert after.organization == other


def test_what_cannot_be_moved_says_why_and_stays(device, other):
    factories.device(other, name="roof")

    found = organization_transfer.plan_transfer(device, organization=other)

    assert "already exists" in found.problem
    with pytest.raises(Conflict, match="already"):
        organization_transfer.transfer(device, organization=device.organization)


URL = "/api/v1/controller/device/"


def move(client, device, user, **values):
    return client.post(
        f"{URL}{device.pk}/move/",
        values,
        content_type="application/json",
        headers=factories.bearer(user),
    )


def test_a_device_is_moved_over_the_api_by_those_who_may_in_both(
    client, organization, device, other
):
    both = factories.superuser()
    here, there = factories.user(organization), factories.user(other)

    assert move(client, device, there, organization=str(other.pk)).status_code == 404
    assert move(client, device, here, organization=str(other.pk)).status_code == 400

    planned = move(client, device, both, organization=str(other.pk), dry_run=True)
    assert planned.status_code == 200
    assert "Group roofs" in planned.json()["dropped"]
    assert Device.objects.get().organization == organization

    done = move(client, device, both, organization=str(other.pk))
    assert done.json() == planned.json()
    assert Device.objects.get().organization == other
    assert move(client, device, both, organization=str(other.pk)).status_code == 409


def test_a_viewer_of_the_other_organization_moves_nothing_there(
    client, organization, device, other
):
    user = factories.user(organization)
    Membership.objects.create(user=user, organization=other, role="viewer")

    answer = move(client, device, user, organization=str(other.pk))

    assert answer.status_code == 403
    assert Device.objects.get().organization == organization


def test_the_admin_shows_the_plan_before_it_moves(client, organization, device, other):
    client.force_login(factories.superuser())
    page = f"/admin/devices/device/{device.pk}/change/"
    assert "Move" in client.get(page).content.decode()
    url = f"/admin/devices/device/{device.pk}/move/"

    assert "Elsewhere" in client.get(url).content.decode()
    shown = client.post(url, {"organization": other.pk, "planned": "1"}).content.decode()
    assert "Template ours" in shown
    assert Device.objects.get().organization == organization
    done = client.post(url, {"organization": other.pk, "confirmed": "1"})
    assert done.status_code == 302
    assert Device.objects.get().organization == other


def test_who_has_one_organization_is_not_offered_to_move(client, organization, device):
    client.force_login(factories.user(organization, is_staff=True))

    page = client.get(f"/admin/devices/device/{device.pk}/change/").content.decode()

    assert f"/admin/devices/device/{device.pk}/move/" not in page
    assert client.get(f"/admin/devices/device/{device.pk}/move/").status_code == 403
