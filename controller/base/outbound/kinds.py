"""The kinds of what the portal connects to; each has a setting with its networks."""

from enum import StrEnum

from django.conf import settings

from controller.base.errors import Refused, Unreachable
from controller.base.outbound.addresses import INTERNET, Address, Policy, parsed, policy

LOOPBACK = ("127.0.0.0/8", "::1/128")


class Kind(StrEnum):
    """What is connected to; the value is the setting that names its networks."""

    DEVICE = "MUSTER_DEVICE_NETWORKS"
    SUPERVISOR = "MUSTER_SUPERVISOR_NETWORKS"
    DISCOVERY = "MUSTER_DISCOVERY_NETWORKS"
    GATEWAY = "MUSTER_GATEWAY_NETWORKS"
    VPN = "MUSTER_VPN_NETWORKS"
    WEBHOOK = "MUSTER_WEBHOOK_NETWORKS"
    ACME = "MUSTER_ACME_NETWORKS"
    # Servers that the portal's settings name: the geocoder and the OpenID provider.
    SERVICE = "MUSTER_SERVICE_NETWORKS"


class OutOfBounds(Unreachable):
    """The setting of its kind does not permit this address; nothing was sent."""


def policy_of(kind: Kind) -> Policy:
    """Return where connections of this kind may go, by the settings as they are now."""
    words = tuple(getattr(settings, kind.value))
    if kind == Kind.WEBHOOK:
        words = (*words, INTERNET)
    if kind == Kind.GATEWAY and settings.MUSTER_LOCAL_GATEWAYS:
        words = (*words, *LOOPBACK)
    return policy(kind.value, words)


def check_address(kind: Kind, address: Address, host: str = "") -> None:
    """Raise OutOfBounds where the address may not be connected to."""
    if why := policy_of(kind).refusal(address):
        named = f"{host} leads out of bounds: " if host and host != str(address) else ""
        raise OutOfBounds(f"{named}{why}", code="out_of_bounds")


def check_host(kind: Kind, host: str, *, field: str) -> None:
    """Raise Refused under the field for an address that no connection would be made to.

    A name is not looked up: what it leads to is checked when it is connected to.
    """
    address = parsed(host)
    if address is not None and (why := policy_of(kind).refusal(address)):
        raise Refused({field: [why]})
