"""VPN clients: added and removed with templates, provisioned in batches."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.devices.engine.identity import same_mac
from controller.devices.models import Device
from controller.vpn.drivers.identity import generate
from controller.vpn.engine.wireguard import shared_vni
from controller.vpn.models import HIGHEST_VNI, Vpn, VpnClient
from controller.vpn.rules.rendering import peers_changed
from controller.vpn.rules.servers import issue_for, random_common_name
from networks.ipam import rules as addresses
from networks.ipam.models import DivisionRule, IpAddress
from networks.overlay.engine.keys import wireguard_pair
from pki import rules as pki
from pki.models import Cert, Reason

CLIENT_EXTENSIONS = [
    {"name": "nsCertType", "value": "client", "critical": False},
    {"name": "extendedKeyUsage", "value": "clientAuth", "critical": False},
]


def add_clients(vpn_id: UUID, device_ids: Iterable[UUID], *, auto_cert: bool = True) -> None:
    """Add these devices as clients; keys and addresses are provisioned later."""
    VpnClient.objects.bulk_create(
        (
            VpnClient(device_id=pk, vpn_id=vpn_id, auto_cert=auto_cert, is_ready=not auto_cert)
            for pk in device_ids
        ),
        ignore_conflicts=True,
        batch_size=500,
    )


@transaction.atomic
def remove_clients(clients: QuerySet[VpnClient]) -> None:
    """Remove clients, revoke their certificates and release their addresses."""
    rows = list(clients.select_for_update(of=("self",)).order_by("pk"))
    certs = Cert.objects.filter(vpn_client__in=rows).select_related("ca")
    pki.revoke_all(list(certs), reason=Reason.CESSATION)
    held = [row.ip_id for row in rows if row.ip_id]
    VpnClient.objects.filter(pk__in=[row.pk for row in rows]).delete()
    _undivide(rows)
    IpAddress.objects.filter(pk__in=held).delete()
    peers_changed({row.vpn_id for row in rows})


def _undivide(rows: Sequence[VpnClient]) -> None:
    servers = Vpn.objects.filter(pk__in={row.vpn_id for row in rows}, subnet__isnull=False)
    rules = addresses.rules_for(
        DivisionRule.Type.VPN, list(servers.values_list("subnet", flat=True))
    )
    for rule in rules:
        devices = {row.device_id for row in rows}
        staying = VpnClient.objects.filter(
            device__in=devices, vpn__subnet=rule.master_subnet_id
        ).values_list("device", flat=True)
        addresses.take_back(rule.divisions.filter(device__in=devices - set(staying)))


def reprovision(subnet_id: UUID) -> list[UUID]:
    """Mark clients in this subnet for provisioning. Returns the ids of their devices."""
    rows = VpnClient.objects.filter(vpn__subnet=subnet_id, auto_cert=True)
    rows.update(is_ready=False)
    return list(rows.values_list("device", flat=True))


def set_clients(device: Device, wanted: Mapping[UUID, bool]) -> None:
    """Make the device a client of exactly these servers: id → automatic provisioning."""
    known = dict(VpnClient.objects.filter(device=device).values_list("vpn", "auto_cert"))
    gone = [pk for pk, automatic in known.items() if wanted.get(pk) != automatic]
    if gone:
        remove_clients(VpnClient.objects.filter(device=device, vpn__in=gone))
    for pk, automatic in wanted.items():
        if known.get(pk) != automatic:
            add_clients(pk, [device.pk], auto_cert=automatic)


def provision(device_ids: Collection[UUID]) -> dict[UUID, Refused]:
    """Provision the clients of these devices. Returns device → Refused for failures."""
    lacking = VpnClient.objects.filter(device__in=device_ids, is_ready=False)
    rows = lacking.order_by("vpn_id", "created").select_related(
        "vpn__ca", "vpn__subnet", "device__organization"
    )
    refused: dict[UUID, Refused] = {}
    for _, group in groupby(rows, key=attrgetter("vpn_id")):
        refused |= _provision(list(group))
    return refused


def _provision(rows: Sequence[VpnClient]) -> dict[UUID, Refused]:
    """Provision clients of one server."""
    vpn = rows[0].vpn
    try:
        if vpn.engine.has_controller:
            _identify(rows)
        with transaction.atomic():
            _give_network(vpn, rows)
    except Refused as refusal:
        return dict.fromkeys((row.device_id for row in rows), refusal)
    if not vpn.engine.needs_ca:
        return {}
    refused = {}
    known = [row.pk for row in rows if row.cert_id]
    VpnClient.objects.filter(pk__in=known).update(is_ready=True)
    for row in rows:
        if row.cert_id:
            continue
        try:
            _give_certificate(vpn, row)
        except Refused as refusal:
            refused[row.device_id] = refusal
    return refused


def _give_network(vpn: Vpn, rows: Sequence[VpnClient]) -> None:
    """Assign keys, addresses and VXLAN identifiers, in a constant number of queries."""
    # The server's row is the lock: no identifier or address is assigned twice.
    Vpn.objects.select_for_update(of=("self",)).get(pk=vpn.pk)
    fresh = VpnClient.objects.in_bulk([row.pk for row in rows])
    lacking = [row for row in fresh.values() if not row.is_ready]
    if vpn.engine.has_keys:
        for row in lacking:
            if not row.private_key:
                row.private_key, row.public_key = wireguard_pair()
    if vpn.engine.is_vxlan and not shared_vni(vpn.config):
        _number(vpn, [row for row in lacking if row.vni is None])
    if vpn.subnet:
        _divide(vpn, lacking)
        unaddressed = [row for row in lacking if row.ip_id is None]
        names = {row.device_id: row.device.name for row in rows}
        texts = [f"{names[row.device_id]} in {vpn.name}"[:100] for row in unaddressed]
        found = addresses.allocate(vpn.subnet, len(unaddressed), descriptions=texts)
        for row, address in zip(unaddressed, found, strict=True):
            row.ip = address
    for row in lacking:
        row.is_ready = not vpn.engine.needs_ca
    VpnClient.objects.bulk_update(
        lacking, ["private_key", "public_key", "ip", "vni", "is_ready"], batch_size=500
    )
    peers_changed({vpn.pk})


def _divide(vpn: Vpn, rows: Sequence[VpnClient]) -> None:
    """Assign subnets by division rules, and addresses from these subnets."""
    rules = addresses.rules_for(DivisionRule.Type.VPN, [vpn.subnet_id] if vpn.subnet_id else [])
    if not rules:
        return
    owners = dict(
        Device.objects.filter(pk__in=[row.device_id for row in rows]).values_list(
            "pk", "organization"
        )
    )
    for rule in rules:
        mine = [row for row in rows if owners[row.device_id] == rule.organization_id]
        addresses.divide(rule, [row.device_id for row in mine])
        for row in mine:
            if row.ip_id is None:
                row.ip = addresses.first_address(rule, row.device_id)


def _identify(rows: Sequence[VpnClient]) -> None:
    """Set the ZeroTier identity: one per device in all networks; takes about a second."""
    for row in rows:
        if row.secret:
            continue
        others = VpnClient.objects.filter(device=row.device_id).exclude(pk=row.pk)
        known = [one.secret for one in others if one.secret]
        VpnClient.objects.filter(pk=row.pk).update(secret=known[0] if known else generate())


def _number(vpn: Vpn, rows: Sequence[VpnClient]) -> None:
    highest = VpnClient.objects.filter(vpn=vpn).aggregate(highest=Max("vni"))["highest"] or 0
    if highest + len(rows) > HIGHEST_VNI:
        raise Refused(
            {"vni": [gettext("%(vpn)s has no VXLAN identifier left.") % {"vpn": vpn}]}
        )
    for vni, row in enumerate(rows, start=highest + 1):
        row.vni = vni


def _give_certificate(vpn: Vpn, client: VpnClient) -> None:
    assert vpn.ca is not None  # noqa: S101 - servers with needs_ca have one
    device = client.device
    cert = issue_for(
        vpn.ca,
        name=device.name,
        common_name=random_common_name(_identity(device)),
        organization=device.organization,
        extensions=CLIENT_EXTENSIONS,
    )
    taken = VpnClient.objects.filter(pk=client.pk, cert=None).update(
        cert=cert, cert_serial=cert.serial_number, is_ready=True
    )
    if not taken:
        # Another worker was faster, or the client was removed meanwhile.
        pki.delete_cert(cert)


def _identity(device: Device) -> str:
    if same_mac(device.name, device.mac_address):
        return str(device.mac_address)
    return f"{device.mac_address}-{device.name}"
