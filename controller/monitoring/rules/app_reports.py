"""Reports that other apps hand over, such as those of supervisors."""

from uuid import UUID

import orjson

from controller.base.measurements import Reports
from controller.monitoring.engine import netjson
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.ingest import ingest
from controller.monitoring.rules.sample_history import now_seconds


def take(reports: Reports) -> set[UUID]:
    """Keep these reports as of now, and return the devices of which they were kept."""
    now = now_seconds()
    arrivals = []
    for device, body in reports.items():
        try:
            report = netjson.read(body)
        except netjson.NotAReport:
            continue
        if report.values or report.counters:
            arrivals.append(Arrival(device, now, now, report, orjson.dumps(body)))
    return ingest(arrivals)
