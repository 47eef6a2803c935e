"""Many devices are moved to a site at once."""

from typing import Any

import pytest
from django.test import Client

from controller.accounts.models import Organization, Site, User
from controller.accounts.rules import sites
from controller.configs.models import DeviceBatch
from controller.configs.rules import bulk_operations
from controller.devices.models import Device
from tests import factories

pytestmark = pytest.mark.django_db


def site(organization: Organization, name: str) -> Site:
    return Site.objects.create(organization=organization, name=name, slug=name.lower())


def test_devices_are_moved_to_a_site_from_their_list(organization: Organization) -> None:
    north = site(organization, "North")
    devices = [factories.device(organization) for _ in range(3)]
    factories.device(organization, name="stays")
    already = factories.device(organization, name="there", site=north)
    client = Client()
    client.force_login(factories.user(organization, is_staff=True))
    chosen = [str(one.pk) for one in [*devices, already]]
    page: Any = client.post(
        "/admin/devices/device/", {"action": "site", "_selected_action": chosen}, follow=True
    )
    batch = DeviceBatch.objects.get()
    client.post(f"/admin/configs/devicebatch/{batch.pk}/choose/", {"chosen": str(north.pk)})
    page = client.get(f"/admin/configs/devicebatch/{batch.pk}/change/")
    assert "It is in this site already." in page.content.decode()
    client.post(f"/admin/configs/devicebatch/{batch.pk}/start/", {"count": "3"})
    bulk_operations.run_due()
    assert set(Device.objects.filter(site=north)) == {*devices, already}
    assert Device.objects.get(name="stays").site is None


def test_nobody_brings_devices_into_a_site_that_they_only_see(
    organization: Organization,
) -> None:
    here, there = site(organization, "Here"), site(organization, "There")
    device = factories.device(organization, site=here)
    user, root = factories.user(organization, "site_admin"), factories.superuser()
    for place, level in ((here, "write"), (there, "read")):
        sites.grant(user.memberships.get(), place, level, by=root)
    user = User.objects.get(pk=user.pk)
    batch = bulk_operations.create_draft(user, "site", Device.objects.filter(pk=device.pk))
    assert list(bulk_operations.choices(batch, user)) == [here]
