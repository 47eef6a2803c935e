"""Totals of sites, groups and locations."""

from typing import Any

import pytest

from controller.accounts.models import Organization
from controller.accounts.rules.sites import create_site
from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.report import Report
from controller.monitoring.models import Sample
from controller.monitoring.rules import organization_totals
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.ingest import ingest
from controller.monitoring.rules.sample_history import now_seconds
from geo.rules.device_locations import place_device
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("part", ["site", "group", "location"])
def test_parts_of_an_organization_are_added_up(
    organization: Organization, admin: Any, api: Any, part: str
) -> None:
    whole: Any = {
        "site": lambda owner: create_site(organization=owner, name="HQ", slug="hq"), "group": factories.group, "location": factories.location,
    }[part](organization)  # fmt: skip
    inside = [factories.device(organization) for _ in range(2)]
    outside = factories.device(organization)
    for device in inside:
        if part == "location":
            place_device(device, location=whole)
        else:
            setattr(device, part, whole)
            device.save()
    now = now_seconds()
    for device, answers in ((inside[0], 1.0), (inside[1], 0.0), (outside, 1.0)):
        ping = Report(values={Metric.REACHABLE: answers})
        ingest([Arrival(device.pk, now, now, ping, kind=Sample.Kind.CHECK)])
    organization_totals.record_totals()
    url = "/api/v1/monitoring/fleet/"
    found = api(admin).get(url, {part: str(whole.pk), "range": "1h"}).json()
    (chart,) = [one for one in found["charts"] if one["id"] == "availability"]
    # One of the two answers; the one outside does not count.
    assert [one for one in chart["traces"][0]["mean"] if one is not None] == [50]
    stranger = factories.user(factories.organization(), "org_admin")
    assert api(stranger).get(url, {part: str(whole.pk)}).status_code == 404
    assert api(admin).get(url, {part: "x"}).status_code == 404
    whole_fleet = api(admin).get(url, {"range": "1h"}).json()
    (chart,) = [one for one in whole_fleet["charts"] if one["id"] == "availability"]
    assert [one for one in chart["traces"][0]["mean"] if one is not None] == [66.67]
