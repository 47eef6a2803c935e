"""Single hosts: probe, adopt, match drivers, test credentials."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import Site, User
from controller.base.database import release_connections
from controller.base.errors import Conflict, NotFound, NotPermitted, Refused
from controller.base.outbound import Kind, policy_of
from controller.base.outbound.transactions import blocking
from controller.configs.rules import devices
from controller.devices.models import Device
from controller.discovery.drivers.contract import USUAL_METHODS, HostReport, Question
from controller.discovery.drivers.neighbors import manufacturer
from controller.discovery.drivers.prober import probe
from controller.discovery.engine import fingerprint, targets
from controller.discovery.models import Finding, Scan
from networks.gateways.engine.features import VENDORS
from networks.gateways.models import Gateway
from networks.gateways.rules.gateway_connections import connect

WRITE = "discovery:write"
SSH = 22


def check_permitted(field: str, ranges: Sequence[targets.Range]) -> None:
    try:
        targets.check(ranges, policy_of(Kind.DISCOVERY).networks)
    except ValueError as error:
        raise Refused({field: [str(error)]}) from error


def look_at(address: str, *, ports: Sequence[int]) -> Finding:
    """Probe one host immediately; raise NotFound if it is silent. Nothing is stored."""
    check_permitted("ip_address", [targets.parse(address)])
    release_connections()
    seen = blocking(probe)(address, Question(USUAL_METHODS, tuple(ports)))
    if seen is None:
        raise NotFound(gettext("Nobody answers at %(address)s.") % {"address": address})
    return as_finding(seen)


def as_finding(
    seen: HostReport, *, scan: Scan | None = None, device: Device | None = None
) -> Finding:
    texts = [text for said in seen.said.values() for text in _texts(said)]
    guess = fingerprint.guess(texts)
    return Finding(
        scan=scan, address=seen.address, mac_address=seen.mac_address,
        hostname=fingerprint.hostname(seen.said),
        manufacturer=manufacturer(seen.mac_address)[:128],
        ports=list(seen.ports), ways=list(seen.ways), said=seen.said, vendor=guess.vendor,
        device_type=guess.device_type, device=device,
    )  # fmt: skip


def _texts(said: Any) -> list[str]:
    if isinstance(said, dict):
        return list(said.values())
    return said if isinstance(said, list) else [said]


@transaction.atomic
def adopt(
    finding: Finding, *, by: User, name: str, mac_address: str = "", site: Site | None = None
) -> Device:
    """Create a device from a finding, with its address as management IP.

    Raises NotPermitted without the permissions, Conflict if it was already adopted, and
    Refused
    without a MAC address.
    """
    site = site or finding.scan.site
    place = site or finding.scan.organization
    for permission in (WRITE, "device:create"):
        if not by.has_perm_on(permission, place):
            raise NotPermitted(
                gettext("Permission denied: requires '%(permission)s'")
                % {"permission": permission}
            )
    finding = Finding.objects.select_for_update().get(pk=finding.pk)
    if finding.device_id is not None:
        raise Conflict(gettext("It is in the inventory already."))
    mac_address = mac_address or finding.mac_address
    if not mac_address:
        raise Refused({"mac_address": [gettext("It was not seen from here. Say what it is.")]})
    device = devices.create_device(
        organization=finding.scan.organization, site=site, name=name,
        mac_address=mac_address, management_ip=finding.address,
    )  # fmt: skip
    finding.device = device
    finding.save()
    return device


def matches(finding: Finding) -> list[dict[str, str]]:
    """Return the drivers that can probably manage the host, most likely first."""
    found = []
    if finding.vendor in VENDORS:
        reason = f"It says that it is {finding.vendor}."
        found.append({"driver_id": finding.vendor, "kind": "gateway", "reason": reason})
    if SSH in finding.ports:
        found.append({"driver_id": "ssh", "kind": "device", "reason": "It answers to SSH."})
    return found


def try_credentials(
    address: str, *, vendor: str, port: int, key: str, secret: str, ca_certificate: str
) -> dict[str, Any]:
    """Test a login on a vendor's gateway; nothing is stored or changed."""
    check_permitted("ip_address", [targets.parse(address)])
    if vendor not in VENDORS:
        raise Refused(
            {
                "driver_id": [
                    gettext("This is none of %(vendors)s.") % {"vendors": ", ".join(VENDORS)}
                ]
            }
        )
    host = f"[{address}]" if ":" in address else address
    gateway = Gateway(
        vendor=vendor, url=f"https://{host}:{port}", key=key, secret=secret,
        ca_certificate=ca_certificate,
    )  # fmt: skip
    try:
        with connect(gateway) as device:
            version = device.facts()["version"]
    except Refused as error:
        return {"success": False, "message": str(error), "version": ""}
    return {"success": True, "message": "", "version": version}
