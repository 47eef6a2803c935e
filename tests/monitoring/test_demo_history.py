"""The invented history of a demonstration, beside what is measured from its first moment on."""

import pytest

from controller.accounts.models import Organization
from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.report import Report
from controller.monitoring.models import Block, LatestSample, MonitoredOrganization, Sample
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.demo_history import invent_history
from controller.monitoring.rules.ingest import ingest
from controller.monitoring.rules.organization_totals import record_totals
from controller.monitoring.rules.sample_history import now_seconds
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.once]
DAYS_BEFORE = 14


def test_a_device_that_was_measured_a_moment_ago_gets_its_history_once(
    organization: Organization,
) -> None:
    device, now = factories.device(organization), now_seconds()
    report = Report()
    report.put(Metric.TEMPERATURE, 41)
    ingest([Arrival(device.pk, now, now, report)])
    record_totals()
    assert invent_history([device], now) == 1
    latest = LatestSample.objects.get()
    assert (latest.layout[0], latest.at) == (Metric.TEMPERATURE, now)
    totals = MonitoredOrganization.objects.get()
    for number in (latest.monitored_id, totals.number):
        days = Block.objects.filter(number=number, resolution=300)
        assert days.count() == DAYS_BEFORE
    samples = Sample.objects.count()
    assert invent_history([device], now) == 0
    assert Sample.objects.count() == samples
