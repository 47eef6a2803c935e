"""VPN servers: create, update, delete, with keys, certificates and addresses."""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext

from controller.accounts.models import Version
from controller.accounts.rules import versions
from controller.base import values as canonical
from controller.base.address_secrets import drop_moved_secrets
from controller.base.database import conflict_if_used
from controller.base.errors import CONCURRENT_WRITE_MESSAGE, Conflict, Refused
from controller.base.secrets import digest
from controller.devices.engine.identity import random_key
from controller.vpn.engine.contract import Invalid
from controller.vpn.engine.dh_parameters import DH_PARAMETERS
from controller.vpn.models import Vpn
from controller.vpn.rules.rendering import enqueue_sync
from controller.vpn.rules.server_sync import (
    create_remote_network,
    delete_remote_network,
    discard_remote_network,
)
from networks.ipam import rules as addresses
from networks.overlay.engine.keys import wireguard_pair
from pki import rules as pki
from pki.models import Ca, Cert, Reason

# Subject fields that a certificate copies from its CA.
SUBJECT = (
    "country_code", "state", "city", "organization_name", "organizational_unit_name", "email",
)  # fmt: skip
SERVER_EXTENSIONS = [
    {"name": "nsCertType", "value": "server", "critical": False},
    {"name": "extendedKeyUsage", "value": "serverAuth", "critical": False},
]
LONGEST_NAME = 55
HOST_AND_PORT = re.compile(r"(\[[^]]+\]|[^:\[\]]+):([0-9]{1,5})")
# Fields recorded in a version of a server.
KEPT = (
    "organization", "name", "host", "backend", "ca", "cert", "subnet", "ip", "webhook_endpoint",
    "auth_token", "notes", "config",
)  # fmt: skip
# Only these fields affect the configuration of clients.
TOLD_TO_CLIENTS = {"name", "host", "backend", "config", "ca", "cert", "subnet", "ip"}


def create_vpn(**values: Any) -> Vpn:
    """Create a server; missing key, certificate and address are generated."""
    vpn = Vpn(**_without_blanks(values))
    _check(vpn)
    if vpn.engine.has_controller:
        # Before the transaction, so that a silent controller does not block it.
        create_remote_network(vpn)
    try:
        with transaction.atomic():
            _complete(vpn)
            record_vpn(vpn)
            enqueue_sync()
    except Exception:
        delete_remote_network(vpn)
        raise
    return vpn


@contextmanager
def moved_network(vpn: Vpn, values: Mapping[str, Any]) -> Iterator[Vpn | None]:
    """Yield a copy of the server with its network on the new controller, or None.

    Asks the controller if ``values`` name another one, or another token, and so must be entered
    before the transaction in which :func:`update_vpn` is called. A network that was created is
    deleted again if the transaction fails.
    """
    before = Vpn.objects.get(pk=vpn.pk)
    after = _changed(Vpn.objects.get(pk=vpn.pk), before, _without_blanks(dict(values)))
    if not after.engine.has_controller or not _is_moved(after, before):
        yield None
        return
    _check_change(after, before)
    _check(after)
    if after.host != before.host:
        # Another controller does not know the network.
        after.network_id = ""
    create_remote_network(after)
    try:
        yield after
    except Exception:
        if after.host != before.host:
            discard_remote_network(after)
        raise


def _is_moved(vpn: Vpn, before: Vpn) -> bool:
    return (vpn.host, vpn.auth_token) != (before.host, before.auth_token)


def _changed(vpn: Vpn, before: Vpn, values: Mapping[str, Any]) -> Vpn:
    """Set the values, and drop what does not go with them."""
    for name, value in values.items():
        setattr(vpn, name, value)
    drop_moved_secrets(vpn, values)
    if "cert" in values and vpn.cert is None and vpn.ca_id == before.ca_id:
        vpn.cert = before.cert
    if vpn.ca_id != before.ca_id and vpn.cert_id == before.cert_id:
        vpn.cert = None
    if vpn.subnet_id != before.subnet_id and vpn.ip_id == before.ip_id:
        vpn.ip = None
    return vpn


@transaction.atomic
def update_vpn(vpn: Vpn, /, *, network: Vpn | None = None, **values: Any) -> Vpn:
    """Update a server. A new CA requires a new server certificate.

    ``network`` is what :func:`moved_network` yielded. Raises Conflict if the server was moved
    meanwhile.
    """
    before: Vpn = Vpn.objects.select_for_update(of=("self",)).get(pk=vpn.pk)
    _changed(vpn, before, _without_blanks(values))
    _check_change(vpn, before)
    _check(vpn)
    if vpn.engine.has_controller and _is_moved(vpn, before):
        if network is None or _is_moved(vpn, network):
            raise Conflict(CONCURRENT_WRITE_MESSAGE)
        if vpn.host != before.host:
            vpn.clients.update(is_told=False)
        vpn.node_id, vpn.network_id = network.node_id, network.network_id
    vpn.revision = before.revision + 1
    vpn.tell_after = None
    _complete(vpn)
    _give_back(vpn, before)
    record_vpn(vpn)
    enqueue_sync()
    return vpn


def record_vpn(vpn: Vpn, verb: str = "") -> None:
    versions.record_version("vpn", vpn, versions.values_of(vpn, KEPT), verb=verb)


@transaction.atomic
def delete_vpn(vpn: Vpn) -> None:
    """Delete a server that no template uses; its certificate is revoked.

    Raises Conflict while the server is in use.
    """
    address, cert = vpn.ip, vpn.cert
    record_vpn(vpn, Version.Verb.DELETED)
    with conflict_if_used(vpn, "delete that first"):
        vpn.delete()
    # After the commit: a controller that is gone must not keep the row.
    transaction.on_commit(partial(discard_remote_network, vpn))
    if address:
        address.delete()
    if cert and not cert.vpns.exists():
        pki.revoke(cert, reason=Reason.CESSATION)


def _without_blanks(values: dict[str, Any]) -> dict[str, Any]:
    """Drop an empty ``key``: it is generated, or left unchanged."""
    return {name: value for name, value in values.items() if name != "key" or value}


def _check_change(vpn: Vpn, before: Vpn) -> None:
    if not before.clients.exists():
        return
    for name in ("backend", "subnet_id", "organization_id"):
        if getattr(vpn, name) != getattr(before, name):
            field = name.removesuffix("_id")
            text = f"It has clients, so its {field} stays. Create another server instead."
            raise Refused({field: [text]})


def _check(vpn: Vpn) -> None:
    vpn.key = vpn.key or random_key()
    vpn.host = checked_host(vpn)
    vpn.checked(leave_out={"key_digest"})
    _check_name(vpn)
    twins = Vpn.objects.filter(key_digest=digest(vpn.key)).exclude(pk=vpn.pk)
    if twins.exists():
        raise Refused({"key": [gettext("VPN server with this Key already exists.")]})
    try:
        vpn.engine.check(vpn.config)
    except Invalid as error:
        raise Refused(str(error)) from error
    _check_relations(vpn)


def checked_host(vpn: Vpn) -> str:
    """Return the host as clients are given it; a ZeroTier controller's may have a port."""
    text, port = vpn.host, ""
    if vpn.engine.has_controller and (found := HOST_AND_PORT.fullmatch(text.strip())):
        text, port = found[1], f":{found[2]}"
    try:
        host = canonical.host(text)
    except ValueError as error:
        raise Refused({"host": [str(error)]}) from error
    return f"[{host}]{port}" if port and ":" in host else f"{host}{port}"


def _complete(vpn: Vpn) -> None:
    """Generate missing keys, certificate and address, and save the server."""
    _make_certificate(vpn)
    _make_address(vpn)
    if not vpn.engine.has_keys:
        vpn.public_key = vpn.private_key = ""
    elif not vpn.private_key:
        vpn.private_key, vpn.public_key = wireguard_pair()
    try:
        vpn.engine.render(vpn.config, vpn.facts, ())
    except Invalid as error:
        raise Refused(str(error)) from error
    vpn.save()


def _check_name(vpn: Vpn) -> None:
    """Raise Refused if the name exists as shared and in an organization."""
    namesakes = Vpn.objects.filter(name=vpn.name).exclude(pk=vpn.pk)
    if vpn.organization_id is not None:
        namesakes = namesakes.filter(organization=None)
    if namesakes.exists():
        raise Refused(
            {"name": [gettext("There is already another VPN server with this name.")]}
        )


def _check_relations(vpn: Vpn) -> None:
    if not vpn.engine.needs_ca:
        vpn.ca = vpn.cert = None
    elif vpn.ca is None:
        raise Refused({"ca": [gettext("CA is required with this VPN backend")]})
    if vpn.cert and vpn.cert.ca_id != vpn.ca_id:
        raise Refused(
            {"cert": [gettext("The selected certificate must match the selected CA.")]}
        )
    if vpn.engine.needs_subnet and vpn.subnet is None:
        raise Refused({"subnet": [gettext("Subnet is required for this VPN backend.")]})
    for name in ("ca", "cert", "subnet"):
        row = getattr(vpn, name)
        if row is not None and row.organization_id not in {None, vpn.organization_id}:
            text = (
                "Please ensure that the organization of this VPN server and the organization "
                f"of the related {row._meta.verbose_name} match."
            )
            raise Refused({"organization": [text]})
    if vpn.ip and vpn.ip.subnet_id != vpn.subnet_id:
        raise Refused({"ip": [gettext("VPN IP address must be within the VPN subnet")]})


def _make_certificate(vpn: Vpn) -> None:
    if vpn.ca is None:
        vpn.dh = vpn.ca_serial = vpn.cert_serial = ""
        return
    vpn.dh = vpn.dh or DH_PARAMETERS
    vpn.cert = vpn.cert or issue_for(
        vpn.ca,
        name=vpn.name,
        common_name=free_common_name(slugify(vpn.name) or vpn.pk.hex, vpn.organization_id),
        organization=vpn.organization,
        extensions=SERVER_EXTENSIONS,
    )
    vpn.ca_serial, vpn.cert_serial = vpn.ca.serial_number, vpn.cert.serial_number


def issue_for(ca: Ca, **values: Any) -> Cert:
    """Issue a certificate with the CA's key type, digest and subject."""
    taken_over = {name: getattr(ca, name) for name in (*SUBJECT, "key_length", "digest")}
    # Renewed automatically: manual renewal could come too late for thousands of tunnels.
    return pki.issue(ca, auto_renew=True, **taken_over, **values)


def free_common_name(wanted: str, organization_id: Any) -> str:
    if not Cert.objects.filter(common_name=wanted, revoked=False).exists():
        return wanted
    return random_common_name(wanted)


def random_common_name(wanted: str) -> str:
    """Return a unique common name of at most 64 characters (limit of X.509)."""
    return f"{wanted[:LONGEST_NAME]}-{secrets.token_hex(4)}"


def _make_address(vpn: Vpn) -> None:
    if vpn.subnet is None:
        vpn.ip = None
    elif vpn.ip is None:
        (vpn.ip,) = addresses.allocate(vpn.subnet, descriptions=[vpn.name])


def _give_back(vpn: Vpn, before: Vpn) -> None:
    """Release the former address and revoke the former certificate if unused."""
    if before.ip and before.ip_id != vpn.ip_id:
        before.ip.delete()
    if before.cert and before.cert_id != vpn.cert_id and not before.cert.vpns.exists():
        pki.revoke(before.cert, reason=Reason.SUPERSEDED)
