"""Gateways: create, change, delete, poll their status."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import F, ProtectedError, Q
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.address_secrets import drop_moved_secrets
from controller.base.circuit import close_circuit, open_circuit
from controller.base.errors import Conflict, Refused, Unreachable
from controller.base.events import event_for, publish
from controller.base.leases import for_each
from controller.base.outbound.pinning import fingerprint_of
from networks.gateways.models import Change, Gateway
from networks.gateways.rules.gateway_connections import connect

log = logging.getLogger(__name__)

POLLED_AT_ONCE = 400
# Entries per gateway, so that a flapping gateway cannot fill the table.
HISTORY = 200
THREADS = 20


@transaction.atomic
def create_gateway(**values: Any) -> Gateway:
    row = Gateway(**values)
    _checked(row).save()
    return row


@transaction.atomic
def update_gateway(row: Gateway, /, **values: Any) -> Gateway:
    if "organization" in values and values["organization"].pk != row.organization_id:
        raise Refused({"organization": [gettext("A gateway stays in its organization.")]})
    if "vendor" in values and values["vendor"] != row.vendor and row.changes.exists():
        raise Refused({"vendor": [gettext("It has changes for the vendor that it is of.")]})
    if "fingerprint" in values:
        values["fingerprint"] = _fingerprint(values["fingerprint"])
    for name, value in values.items():
        setattr(row, name, value)
    drop_moved_secrets(row, values)
    _checked(row).save()
    close_circuit(row.circuit)
    return row


@transaction.atomic
def delete_gateway(row: Gateway) -> None:
    if row.changes.filter(state__in=[*Change.WAITING, *Change.OPEN]).exists():
        raise Conflict(gettext("It has changes that wait. Discard them first."))
    row.changes.all().delete()
    with suppress(ProtectedError):
        row.delete()
        return
    raise Conflict(gettext("Something else refers to this gateway."))


def _fingerprint(text: str) -> str:
    try:
        return fingerprint_of(text)
    except ValueError as error:
        raise Refused({"fingerprint": [str(error)]}) from error


def _checked(row: Gateway) -> Gateway:
    row.checked()
    if urlsplit(row.url).scheme != "https" and not settings.MUSTER_LOCAL_GATEWAYS:
        raise Refused({"url": [gettext("The address begins with https://.")]})
    return row


def look(gateway: Gateway) -> Gateway:
    """Contact the gateway and record its version and status. Raises if it fails."""
    found = _asked(gateway)
    _noted(gateway, found)
    if isinstance(found, Refused):
        raise found
    gateway.refresh_from_db()
    return gateway


def poll() -> int:
    """Poll gateways that are due, in parallel. Returns their number."""
    old = timezone.now() - timedelta(seconds=settings.MUSTER_GATEWAY_POLL_SECONDS)
    rows = Gateway.objects.filter(Q(polled=None) | Q(polled__lt=old)).order_by(
        F("polled").asc(nulls_first=True), "pk"
    )
    due = list(rows.select_related("organization", "site")[:POLLED_AT_ONCE])
    Gateway.objects.filter(pk__in=[one.pk for one in due]).update(polled=timezone.now())
    # Threads only do network I/O and no database queries.
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(zip(due, pool.map(_asked, due), strict=True))
    for_each(answers, lambda answer: _noted(*answer), name="gateways.poll")
    return len(due)


def why_unreachable(gateway: Gateway) -> str:
    """Return why an unsaved gateway cannot be read with its credentials; empty if it can."""
    found = _asked(gateway)
    return str(found) if isinstance(found, Refused) else ""


def _asked(gateway: Gateway) -> dict[str, str] | Refused:
    try:
        with connect(gateway) as device:
            return device.facts()
    except Refused as error:
        return error
    except Exception:
        # What a gateway says may be anything; it must not hide the others.
        log.exception("The answer of gateway %s cannot be read", gateway.pk)
        return Unreachable(gettext("It answered something that cannot be read."))


@transaction.atomic
def _noted(gateway: Gateway, found: dict[str, str] | Refused) -> None:
    now = timezone.now()
    before = (gateway.status, gateway.trouble)
    values: dict[str, Any] = {"polled": now, "trouble": str(found)[:255]}
    if isinstance(found, Unreachable):
        open_circuit(gateway.circuit, found, seconds=settings.MUSTER_GATEWAY_POLL_SECONDS)
    else:
        close_circuit(gateway.circuit)
    if not isinstance(found, Refused):
        values |= {"version": found["version"], "last_seen": now, "trouble": ""}
    Gateway.objects.filter(pk=gateway.pk).update(**values)
    gateway.polled, gateway.trouble = now, values["trouble"]
    if before != (gateway.status, gateway.trouble):
        _remember(gateway, now)
        publish(event_for(gateway, "gateway.status", "gateway:read", status=gateway.status))


def _remember(gateway: Gateway, now: datetime) -> None:
    kept = gateway.statuses.values("pk")[: HISTORY - 1]
    gateway.statuses.exclude(pk__in=[row["pk"] for row in kept]).delete()
    gateway.statuses.create(state=gateway.status, reason=gateway.trouble, at=now)
