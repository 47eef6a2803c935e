"""Gateways: which there are, and connections to them."""

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from controller.base.errors import Conflict, Refused, Unreachable
from networks.drivers import gateways as drivers
from networks.drivers.gateways.contract import Endpoint
from networks.drivers.gateways.contract import Gateway as Connection
from networks.models import Change, Gateway


@transaction.atomic
def create_gateway(**values: Any) -> Gateway:
    row = Gateway(**values)
    _checked(row).save()
    return row


@transaction.atomic
def update_gateway(row: Gateway, /, **values: Any) -> Gateway:
    if "organization" in values and values["organization"].pk != row.organization_id:
        raise Refused({"organization": ["A gateway stays in its organization."]})
    if "vendor" in values and values["vendor"] != row.vendor and row.changes.exists():
        raise Refused({"vendor": ["It has changes for the vendor that it is of."]})
    for name, value in values.items():
        setattr(row, name, value)
    _checked(row).save()
    return row


@transaction.atomic
def delete_gateway(row: Gateway) -> None:
    if row.changes.filter(state__in=[Change.State.PENDING, *Change.OPEN]).exists():
        raise Conflict("It has changes that wait. Discard them first.")
    row.changes.all().delete()
    with suppress(ProtectedError):
        row.delete()
        return
    raise Conflict("Something else refers to this gateway.")


def _checked(row: Gateway) -> Gateway:
    row.checked()
    if urlsplit(row.url).scheme != "https" and not settings.MUSTER_LOCAL_GATEWAYS:
        raise Refused({"url": ["The address begins with https://."]})
    return row


def connect(gateway: Gateway) -> Connection:
    """A connection to it; use it in a with statement."""
    try:
        return drivers.DRIVERS[gateway.vendor](
            Endpoint(
                gateway.url,
                {"key": gateway.key, "secret": gateway.secret},
                gateway.ca_certificate,
                settings.MUSTER_LOCAL_GATEWAYS,
                settings.MUSTER_GATEWAY_SECONDS,
            )
        )
    except (OSError, ValueError) as error:
        raise Unreachable("The certificate to trust, or the address, is none.") from error


def look(gateway: Gateway) -> Gateway:
    """Ask it who it is, and note whether it answered."""
    try:
        with connect(gateway) as device:
            facts = device.facts()
    except Refused as error:
        Gateway.objects.filter(pk=gateway.pk).update(trouble=str(error)[:255])
        raise
    Gateway.objects.filter(pk=gateway.pk).update(
        version=facts["version"], last_seen=timezone.now(), trouble=""
    )
    gateway.refresh_from_db()
    return gateway
