"""The newest values of devices, as Prometheus scrapes them."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.accounts.models import Organization, User
from controller.accounts.rules.sites import create_site
from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.report import Report
from controller.monitoring.models import Check, CheckRun, MonitoredDevice, Sample
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.ingest import ingest
from controller.monitoring.rules.sample_history import now_seconds
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/v1/monitoring/metrics/"


def report(device: Any, at: int, received: float) -> Arrival:
    found = Report(uptime=1000 + at)
    found.put(Metric.CPU, 37.5)
    found.count(Metric.RX_BYTES, received, 'br-"lan"')
    return Arrival(device.pk, at, at, found)


def scraped(answer: Any) -> dict[tuple[str, str, str], float]:
    assert answer["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (one.name, one.labels["name"], one.labels.get("label") or one.labels.get("state", "")):
            one.value
        for family in text_string_to_metric_families(answer.content.decode())
        for one in family.samples
    }  # fmt: skip


def test_the_newest_values_are_scraped(api: Any, organization: Organization) -> None:
    device = factories.device(organization, name="edge-1")
    now = now_seconds()
    ingest([report(device, now - 300, 1000), report(device, now - 1, 5000)])
    ping = Report(values={Metric.REACHABLE: 1.0, Metric.RTT: 12.25})
    ingest([Arrival(device.pk, now, now, ping, kind=Sample.Kind.CHECK)])
    row = MonitoredDevice.objects.get(device=device)
    check = Check.objects.create(organization=organization, name="web", kind="http")
    CheckRun.objects.create(parent=check, monitored=row, at=now, is_good=False)
    viewer = factories.user(organization, "viewer")
    found = scraped(api(viewer).get(URL))
    assert found["muster_cpu", "edge-1", ""] == 37.5
    assert found["muster_rtt", "edge-1", ""] == 12.25
    assert found["muster_rx_bytes_increment", "edge-1", 'br-"lan"'] == 4000
    assert found["muster_check", "edge-1", "web"] == 0
    assert found["muster_health", "edge-1", "unknown"] == 1
    assert found["muster_reported_timestamp_seconds", "edge-1", ""] == now - 1


def test_outdated_values_are_not_scraped(api: Any, organization: Organization) -> None:
    device = factories.device(organization, name="edge-1")
    ingest([report(device, now_seconds() - 7200, 1)])
    found = scraped(api(factories.user(organization, "viewer")).get(URL))
    assert ("muster_cpu", "edge-1", "") not in found
    assert ("muster_health", "edge-1", "ok") in found


def test_only_devices_that_the_caller_may_see_are_scraped(
    api: Any, organization: Organization, admin: User
) -> None:
    other = factories.organization()
    site = create_site(organization=organization, name="HQ", slug="hq")
    for owner, name, where in (
        (organization, "mine", None), (other, "foreign", None), (organization, "sited", site),
    ):  # fmt: skip
        device = factories.device(owner, name=name, site=where)
        ingest([report(device, now_seconds(), 1)])
    names = {
        name for _, name, _ in scraped(api(factories.user(organization, "viewer")).get(URL))
    }
    # Nobody sees a site without a grant for it.
    assert names == {"mine"}
    assert {n for _, n, _ in scraped(api(admin).get(URL))} == {"mine", "foreign", "sited"}
    assert {n for _, n, _ in scraped(api(admin).get(URL, {"site": str(site.pk)}))} == {"sited"}
    assert api(admin).get(URL, {"site": "x"}).status_code == 404
    assert api(factories.user(organization, "guest")).get(URL).status_code == 403
    assert api(None).get(URL).status_code == 401


def test_many_devices_cost_as_many_queries_as_one(
    api: Any, organization: Organization, django_assert_max_num_queries: Any
) -> None:
    viewer = factories.user(organization, "viewer")
    for at in range(5):
        device = factories.device(organization, name=f"edge-{at}")
        ingest([report(device, now_seconds(), 1)])
    with django_assert_max_num_queries(12):
        assert len(scraped(api(viewer).get(URL))) == 5 * 6
