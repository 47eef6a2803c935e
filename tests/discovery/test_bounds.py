"""Bounds, times and places of scans, each at its edge."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.accounts.rules.sites import create_site
from controller.base.errors import Conflict
from controller.discovery import rules
from controller.discovery.models import Finding, Scan

pytestmark = pytest.mark.django_db


def start(organization: Organization, by: User, **values: Any) -> Scan:
    return rules.start(organization, by=by, wanted=["10.0.0.1"], **values)


def test_three_scans_of_an_organization_are_under_way_at_most(
    organization: Organization, admin: User
) -> None:
    for _ in range(3):
        start(organization, admin)
    with pytest.raises(Conflict, match="3 scans are under way"):
        start(organization, admin)


def test_a_device_is_adopted_at_the_site_of_the_scan_or_the_chosen_one(
    organization: Organization, admin: User
) -> None:
    quay, depot = (
        create_site(organization=organization, name=name, slug=name.lower())
        for name in ("Quay", "Depot")
    )
    found = {}
    for number, (place, chosen) in enumerate([(quay, None), (None, depot), (quay, depot)]):
        finding = Finding.objects.create(
            scan=start(organization, admin, site=place), address=f"10.0.0.{number}",
            mac_address=f"02:00:00:00:00:0{number}", ports=[], ways=[], said={},
        )  # fmt: skip
        device = rules.adopt(finding, by=admin, name=f"ap-{number}", site=chosen)
        found[number] = device.site
    assert found == {0: quay, 1: depot, 2: depot}


def test_the_message_of_a_new_scan_has_five_seconds(
    organization: Organization, admin: User
) -> None:
    row = start(organization, admin)
    for seconds, count in ((4.9, 0), (5.1, 1)):
        with time_machine.travel(row.not_before + timedelta(seconds=seconds), tick=False):
            assert rules.resume_lost() == count


def test_a_scan_begins_once(organization: Organization, admin: User, settings: Any) -> None:
    settings.MUSTER_DISCOVERY_NETWORKS = ["private"]
    row = start(organization, admin)
    Scan.objects.update(position=1)  # nothing is left to ask
    assert rules.drive(row)
    row.refresh_from_db()
    assert (row.state, row.began is not None) == ("completed", True)
    earlier = timezone.now() - timedelta(hours=1)
    Scan.objects.update(state=Scan.State.RUNNING, began=earlier, leased_until=None)
    row.refresh_from_db()
    assert rules.drive(row)
    row.refresh_from_db()
    assert row.began == earlier
