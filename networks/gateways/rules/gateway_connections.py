"""Connections to gateways with their credentials; the reported version is stored."""

from django.conf import settings
from django.utils.translation import gettext

from controller.base.database import release_connections
from controller.base.errors import Unreachable
from networks.gateways import drivers
from networks.gateways.drivers.contract import Endpoint
from networks.gateways.drivers.contract import Gateway as Connection
from networks.gateways.models import Gateway


def connect(gateway: Gateway, *, rehearses: bool = False) -> Connection:
    """Return a connection (a context manager).

    With `rehearses`, writes are only recorded.
    """
    release_connections()
    try:
        return drivers.DRIVERS[gateway.vendor](
            Endpoint(
                gateway.url,
                {"key": gateway.key, "secret": gateway.secret},
                gateway.ca_certificate,
                gateway.fingerprint,
                settings.MUSTER_GATEWAY_SECONDS,
                settles=settings.MUSTER_GATEWAY_EFFECT_SECONDS,
                version=gateway.version,
                rehearses=rehearses,
            )
        )
    except (OSError, ValueError) as error:
        raise Unreachable(gettext("The CA certificate or the address is invalid.")) from error


def note_version(gateway: Gateway, device: Connection) -> None:
    """Store the version read by a connection, if it has changed."""
    if device.version != gateway.version:
        gateway.version = device.version
        Gateway.objects.filter(pk=gateway.pk).update(version=device.version)
