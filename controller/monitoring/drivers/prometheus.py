"""An archive that speaks Prometheus' API: VictoriaMetrics, Mimir, or Prometheus itself."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from controller.base.errors import Unreachable
from controller.base.outbound import Kind, http
from controller.monitoring.engine import remote_write
from controller.monitoring.engine.buckets import DAY, HOUR, Buckets
from controller.monitoring.engine.metrics import COUNTERS, series_key, split_key
from controller.monitoring.engine.points import Points
from controller.monitoring.engine.storage import ArchiveUnavailable, Sample

WRITE_PATHS = {"/api/v1/write": "", "/api/v1/push": "/prometheus"}
HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
# A page waits no longer for its charts.
READ_SECONDS, WRITE_SECONDS = 2.0, 30.0
REFUSED = 400
AGGREGATES = ("count", "avg", "min", "max")

log = logging.getLogger(__name__)


class Prometheus:
    """``url`` is where samples are written to, such as http://127.0.0.1:8428/api/v1/write."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        suffix = next((one for one in WRITE_PATHS if parts.path.endswith(one)), "")
        base = parts.path[: len(parts.path) - len(suffix)] + WRITE_PATHS.get(suffix, "")
        self.query_url = urlunsplit(parts._replace(path=f"{base}/api/v1/query_range", query=""))

    def store(self, samples: Sequence[Sample]) -> None:
        """Keep these samples; what is sent twice is kept once."""
        body = remote_write.snappy(b"".join(_series(samples)))
        try:
            with http.client(Kind.SERVICE, timeout=WRITE_SECONDS) as client:
                answer = client.post(self.url, content=body, headers=HEADERS)
        except (http.HTTPError, Unreachable) as error:
            raise ArchiveUnavailable(str(error)) from error
        if answer.status_code == REFUSED:
            # Older than it takes, or out of order: to send them again would not help.
            log.warning("The metrics store refused some samples: %s", answer.text[:300])
        elif answer.status_code >= REFUSED:
            raise ArchiveUnavailable(f"It answered {answer.status_code}.")

    def read(self, number: int, series: Sequence[str], buckets: Buckets) -> dict[str, Points]:
        """Return the points of these series that the archive holds."""
        step = buckets.step if buckets.step < DAY else HOUR
        found: dict[str, Points] = {}
        parts: dict[tuple[str, int], dict[str, float]] = {}
        for name in AGGREGATES:
            for key, values in self._query(name, number, series, buckets, step).items():
                for at, value in values:
                    parts.setdefault((key, at), {})[name] = value
        for (key, at), one in parts.items():
            points = found.setdefault(key, Points.empty(len(buckets.edges) - 1))
            bucket = buckets.place(at)
            if bucket is not None and len(one) == len(AGGREGATES):
                points.add(bucket, int(one["count"]), one["avg"], one["min"], one["max"])
        return found

    def _query(
        self, aggregate: str, number: int, series: Sequence[str], buckets: Buckets, step: int
    ) -> dict[str, list[tuple[int, float]]]:
        """Return a value for each step, by the start of the step."""
        metrics = "|".join(sorted({split_key(key)[0] for key in series}))
        query = (
            f'{aggregate}_over_time({{__name__=~"muster_.+",number="{number}",'
            f'metric=~"{metrics}"}}[{step}s])'
        )
        # A range ends with its moment and begins after its start, so it is asked a second early.
        params: dict[str, Any] = {
            "query": query, "start": buckets.start + step - 1, "end": buckets.end - 1,
            "step": step, "nocache": 1,
        }  # fmt: skip
        try:
            with http.client(Kind.SERVICE, timeout=READ_SECONDS) as client:
                answer = client.get(self.query_url, params=params)
            answer.raise_for_status()
            rows = answer.json()["data"]["result"]
        except (http.HTTPError, Unreachable, ValueError, KeyError, TypeError) as error:
            raise ArchiveUnavailable(str(error)) from error
        wanted = set(series)
        found = {}
        for row in rows:
            labels = row["metric"]
            key = series_key(labels.get("metric", ""), labels.get("label", ""))
            if key in wanted:
                found[key] = [
                    (int(float(at)) - step + 1, float(value)) for at, value in row["values"]
                ]
        return found


def _series(samples: Iterable[Sample]) -> Iterable[bytes]:
    """Yield the series of these samples, each with its moments in order."""
    moments: dict[tuple[int, str], list[tuple[int, float]]] = {}
    sources: dict[int, Sample] = {}
    for sample in samples:
        sources[sample.source.number] = sample
        for key, value in sample.values.items():
            moments.setdefault((sample.source.number, key), []).append((sample.at, value))
    for (number, key), values in moments.items():
        labels = _labels(sources[number], key)
        yield remote_write.series(labels, sorted(values))


def _labels(sample: Sample, key: str) -> Mapping[str, str]:
    metric, label = split_key(key)
    name = f"muster_{metric}" + ("_increment" if metric in COUNTERS else "")
    found = {
        "__name__": name, "metric": metric, "label": label,
        "number": str(sample.source.number), "device": sample.source.device,
        "organization": sample.source.organization,
    }  # fmt: skip
    return {one: text for one, text in found.items() if text}
