"""Rendering of server configurations on demand."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import F, Q

from controller.base.errors import NotFound, NotPermitted, Refused
from controller.base.secrets import digest
from controller.celery import enqueue_on_commit
from controller.vpn.engine.contract import Invalid, Peer
from controller.vpn.models import Vpn, VpnClient

SYNC = "controller.vpn.tasks.tell_servers"


def peers_changed(vpn_ids: Collection[UUID]) -> None:
    """Mark servers as changed; their clients' configurations stay valid."""
    if Vpn.objects.filter(pk__in=vpn_ids).touch():
        enqueue_sync()


def enqueue_sync() -> None:
    """Enqueue the update of servers that can be notified."""
    enqueue_on_commit(SYNC)


def rendered(vpn: Vpn) -> Vpn:
    """Return the server with a current archive and checksum; raise Refused if invalid."""
    if vpn.rendered_revision == vpn.revision:
        return vpn
    try:
        made = vpn.engine.render(vpn.config, vpn.facts, _peers(vpn))
    except Invalid as error:
        raise Refused(str(error)) from error
    vpn.archive, vpn.checksum = made.archive, made.checksum
    vpn.rendered_revision = vpn.revision
    Vpn.objects.filter(pk=vpn.pk, rendered_revision__lt=vpn.revision).update(
        archive=made.archive, checksum=made.checksum, rendered_revision=vpn.revision
    )
    return vpn


def _peers(vpn: Vpn) -> list[Peer]:
    if not vpn.engine.has_keys:
        return []
    rows = VpnClient.objects.filter(vpn=vpn, is_ready=True, ip__isnull=False).exclude(
        public_key=""
    )
    columns = rows.order_by("ip__number").values_list("public_key", "ip__ip_address", "vni")
    return [Peer(*row) for row in columns]


def poll(vpn_id: UUID, key: str) -> str:
    """Return the checksum for the server's agent."""
    return rendered(_asked(vpn_id, key)).checksum


def download(vpn_id: UUID, key: str) -> tuple[str, bytes]:
    """Return the server's name and the archive with the announced checksum."""
    vpn = rendered(_asked(vpn_id, key))
    return vpn.name, bytes(vpn.archive)


def _asked(vpn_id: UUID, key: str) -> Vpn:
    askable = Vpn.objects.filter(Q(organization=None) | Q(organization__is_active=True))
    vpn: Vpn | None = (
        askable.select_related("ca", "cert", "ip", "subnet").filter(pk=vpn_id).first()
    )
    if vpn is None:
        raise NotFound("error: not found")
    if digest(key) != vpn.key_digest:
        raise NotPermitted("error: wrong key")
    return vpn


def follow_certificates() -> set[UUID]:
    """Record renewed certificates; return the devices to render again."""
    clients = VpnClient.objects.filter(cert__isnull=False, cert__revoked=False).exclude(
        cert_serial=F("cert__serial_number")
    )
    devices = set(clients.values_list("device", flat=True))
    for row in clients.select_related("cert"):
        assert row.cert is not None  # noqa: S101 - filtered above
        VpnClient.objects.filter(pk=row.pk).update(cert_serial=row.cert.serial_number)
    servers = Vpn.objects.filter(ca__isnull=False, cert__isnull=False).exclude(
        ca_serial=F("ca__serial_number"), cert_serial=F("cert__serial_number")
    )
    renewed = list(servers.select_related("ca", "cert"))
    for vpn in renewed:
        assert vpn.ca and vpn.cert  # noqa: S101, PT018 - filtered above
        if vpn.ca_serial != vpn.ca.serial_number:
            devices |= set(vpn.clients.values_list("device", flat=True))
        Vpn.objects.filter(pk=vpn.pk).update(
            ca_serial=vpn.ca.serial_number,
            cert_serial=vpn.cert.serial_number,
            revision=F("revision") + 1,
        )
    if renewed:
        enqueue_on_commit(SYNC)
    return devices
