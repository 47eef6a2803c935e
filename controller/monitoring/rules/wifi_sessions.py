"""Sessions of Wi-Fi clients, from the newest report of each access point."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import F, FloatField, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from controller.monitoring.engine.report import Client
from controller.monitoring.models import WifiSession
from controller.monitoring.rules.arrivals import Arrival

# A client that is missing in one report may have been asleep; in two, it has gone.
MISSED_REPORTS = 2
# Sessions end when nothing came for so long, or for so many of the usual intervals.
SILENCE_SECONDS = 1200
SILENT_INTERVALS = 4
BATCH = 500
AT_ONCE = 10_000

Key = tuple[UUID, str, str, str]


def follow(newest: Iterable[Arrival], previous: Mapping[UUID, int]) -> None:
    """Open and close sessions by what the newest reports say.

    ``previous`` is when the report before was made. While a client stays, nothing is written.
    """
    found: dict[Key, tuple[Client, datetime]] = {}
    times: dict[UUID, datetime] = {}
    for arrival in newest:
        if arrival.report.access_points:
            times[arrival.device] = datetime.fromtimestamp(arrival.at, UTC)
        for client in arrival.report.clients:
            key = (arrival.device, client.interface, client.ssid, client.mac)
            found[key] = client, times[arrival.device]
    if not times:
        return
    open_ = WifiSession.objects.filter(device__in=times, stop_time=None)
    columns = ("device_id", "interface_name", "ssid", "mac_address")
    known = {key[:4]: key[4] for key in open_.values_list(*columns, "missed")}
    WifiSession.objects.bulk_create(
        [opened(key, *found[key]) for key in found.keys() - known.keys()],
        batch_size=BATCH,
        ignore_conflicts=True,
    )
    # Most clients stay: their rows are not even made.
    uneasy = {key[0] for key, missed in known.items() if missed or key not in found}
    if not uneasy:
        return
    save(
        [
            row
            for row in open_.filter(device__in=uneasy)
            if has_changed(row, previous.get(row.device_id), is_there=key_of(row) in found)
        ]
    )


def key_of(row: WifiSession) -> Key:
    return row.device_id, row.interface_name, row.ssid, row.mac_address


def has_changed(row: WifiSession, previous: int | None, *, is_there: bool) -> bool:
    """Bring an open session up to date, and return whether that changed it."""
    if is_there:
        was_missing, row.missed = row.missed > 0, 0
        return was_missing
    if row.missed == 0 and previous is not None:
        row.last_report = max(row.start_time, datetime.fromtimestamp(previous, UTC))
    row.missed += 1
    if row.missed >= MISSED_REPORTS:
        row.stop_time = row.last_report
    return True


def opened(key: Key, client: Client, at: datetime) -> WifiSession:
    device, interface, ssid, mac = key
    return WifiSession(
        device_id=device, interface_name=interface, ssid=ssid, mac_address=mac,
        wifi4=client.ht, wifi5=client.vht, wifi6=client.he,
        wmm=client.wmm, wds=client.wds, wps=client.wps,
        start_time=at, last_report=at,
    )  # fmt: skip


def save(rows: Collection[WifiSession]) -> None:
    now = timezone.now()
    for row in rows:
        row.modified = now
    WifiSession.objects.bulk_update(
        rows, ["last_report", "missed", "stop_time", "modified"], batch_size=BATCH
    )


def close_silent() -> int:
    """Close the sessions of access points that tell nothing any more, and return how many."""
    told = F("device__monitoring__latest__at")
    usual = F("device__monitoring__latest__interval") * float(SILENT_INTERVALS)
    silence = Greatest(usual, Value(float(SILENCE_SECONDS)), output_field=FloatField())
    rows = list(
        WifiSession.objects.annotate(heard=told, silence=silence).filter(
            stop_time=None, heard__lt=timezone.now().timestamp() - F("silence")
        )[:AT_ONCE]
    )
    for row in rows:
        heard = datetime.fromtimestamp(row.heard, UTC)
        row.stop_time = max(row.start_time, row.last_report if row.missed else heard)
    save(rows)
    return len(rows)


def forget(days: int) -> int:
    """Remove sessions that ended before so many days, and return how many."""
    end = timezone.now() - timedelta(days=days)
    return WifiSession.objects.filter(stop_time__lt=end).delete()[0]
