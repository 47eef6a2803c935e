"""VPN servers and their clients."""

from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped, OrganizationScopedQuerySet, Shareable
from controller.base.address_secrets import AddressSecrets
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedBytesField, EncryptedTextField, digest
from controller.devices.engine.identity import random_key
from controller.devices.models import Device, valid_key, valid_object
from controller.vpn.engine.contract import Facts
from controller.vpn.engine.servers import ENGINES, Engine
from networks.ipam.models import IpAddress, Subnet
from pki.models import Ca, Cert

HIGHEST_VNI = (1 << 24) - 1


class VpnQuerySet(OrganizationScopedQuerySet):
    def touch(self) -> int:
        """Mark these servers' configurations as changed. Returns their number."""
        return self.update(revision=F("revision") + 1)


class Vpn(Shareable, Base):
    """VPN server."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "vpn:secret",
        whole=frozenset({"key", "auth_token", "private_key", "archive"}),
        inside=frozenset({"config"}),
    )

    class Backend(models.TextChoices):
        OPENVPN = "openwisp_controller.vpn_backends.OpenVpn", _("OpenVPN")
        WIREGUARD = "openwisp_controller.vpn_backends.Wireguard", _("WireGuard")
        VXLAN = "openwisp_controller.vpn_backends.VxlanWireguard", _("VXLAN over WireGuard")
        ZEROTIER = "openwisp_controller.vpn_backends.ZeroTier", _("ZeroTier")

    name = models.CharField(max_length=64)
    host = models.CharField(
        max_length=64, help_text=_("Host name or IP address of the VPN server.")
    )
    key = EncryptedTextField(
        default=random_key, blank=True, max_length=64, validators=[valid_key],
        help_text=_("The agent of the server signs in with this key. Leave empty to create one."),
    )  # fmt: skip
    key_digest = models.CharField(max_length=64, unique=True, editable=False)
    backend = models.CharField(
        _("VPN backend"), max_length=128, choices=Backend,
        help_text=_("Protocol of the VPN."),
    )  # fmt: skip
    ca = models.ForeignKey(
        Ca, models.PROTECT, null=True, blank=True, related_name="vpns",
        verbose_name=_("certificate authority"),
    )  # fmt: skip
    cert = models.ForeignKey(
        Cert, models.PROTECT, null=True, blank=True, related_name="vpns",
        verbose_name=_("certificate"), help_text=_("Leave empty to create one."),
    )  # fmt: skip
    subnet = models.ForeignKey(
        Subnet, models.PROTECT, null=True, blank=True, related_name="vpns",
        help_text=_("Subnet that gives the clients their addresses, if the protocol needs one."),
    )  # fmt: skip
    ip = models.OneToOneField(
        IpAddress, models.PROTECT, null=True, blank=True, related_name="vpn",
        verbose_name=_("IP address"), help_text=_("Address of the server. Leave empty for the next free one."),
    )  # fmt: skip
    webhook_endpoint = models.URLField(  # noqa: DJ001 - clients see what they sent: null or ""
        _("Webhook Endpoint"), null=True, blank=True,
        help_text=(
            _("Address that the portal calls when the server's configuration changes, such as https://vpn.example.org:8081/update.")
        ),
    )  # fmt: skip
    auth_token = EncryptedTextField(
        _("Webhook AuthToken"), max_length=128, null=True, blank=True,
        help_text=(
            _("Token for calls of the webhook, or for the API of a ZeroTier controller.")
        ),
    )  # fmt: skip
    notes = models.TextField(blank=True)
    dh = models.TextField(_("DH parameters"), blank=True)
    public_key = models.CharField(max_length=44, blank=True, editable=False)
    private_key = EncryptedTextField(blank=True, editable=False)
    node_id = models.CharField(max_length=10, blank=True, editable=False)
    network_id = models.CharField(max_length=16, blank=True, editable=False)
    config = models.JSONField(_("configuration"), default=dict, validators=[valid_object])

    # Revisions that were rendered and sent; rendered data can be reproduced.
    revision = models.PositiveBigIntegerField(default=1, editable=False)
    rendered_revision = models.PositiveBigIntegerField(default=0, editable=False)
    told_revision = models.PositiveBigIntegerField(default=0, editable=False)
    tell_after = models.DateTimeField(null=True, editable=False)
    trouble = models.CharField(max_length=255, blank=True, editable=False)
    checksum = models.CharField(max_length=32, blank=True, editable=False)
    archive = EncryptedBytesField(default=b"", editable=False)
    ca_serial = models.CharField(max_length=50, blank=True, editable=False)
    cert_serial = models.CharField(max_length=50, blank=True, editable=False)

    objects = VpnQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        verbose_name = _("VPN server")
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="vpn_name_unique"),
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(organization=None),
                name="shared_vpn_name_unique",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.key_digest = digest(self.key)
        super().save(*args, **kwargs)

    @property
    def address_secrets(self) -> AddressSecrets:
        """Return where the token goes: to a ZeroTier controller, or to the webhook."""
        where = "host" if self.engine.has_controller else "webhook_endpoint"
        return AddressSecrets(address=("backend", where), secrets=("auth_token",))

    @property
    def engine(self) -> Engine:
        return ENGINES[self.backend]

    @property
    def facts(self) -> Facts:
        """Return the properties of the server that are not in its configuration."""
        return Facts(
            name=self.name,
            ca=self.ca.bundle if self.ca else "",
            cert=self.cert.certificate if self.cert else "",
            key=self.cert.private_key if self.cert else "",
            dh=self.dh,
            private_key=self.private_key,
            public_key=self.public_key,
            address=self.ip.ip_address if self.ip else "",
            subnet=self.subnet.subnet if self.subnet else "",
            prefix_length=self.subnet.network.prefixlen if self.subnet else None,
            node_id=self.node_id,
            network_id=self.network_id,
        )


class VpnClient(OrganizationScoped, Base):
    """Device as a client of a VPN server; follows the assignment of the template."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "device:secret", whole=frozenset({"private_key", "secret"})
    )

    organization_path: ClassVar[str] = "device__organization"

    device = models.ForeignKey(Device, models.CASCADE, related_name="vpn_clients")
    vpn = models.ForeignKey(Vpn, models.PROTECT, related_name="clients")
    auto_cert = models.BooleanField(_("automatic provisioning"), default=True)
    cert = models.OneToOneField(
        Cert,
        models.PROTECT,
        null=True,
        related_name="vpn_client",
        verbose_name=_("certificate"),
    )
    ip = models.OneToOneField(
        IpAddress,
        models.PROTECT,
        null=True,
        related_name="vpn_client",
        verbose_name=_("address"),
    )
    public_key = models.CharField(max_length=44, blank=True)
    private_key = EncryptedTextField(blank=True)
    secret = EncryptedTextField(
        blank=True, help_text=_("Secret part of the device's ZeroTier identity.")
    )
    vni = models.PositiveIntegerField(
        _("VNI"), null=True, validators=[MinValueValidator(1), MaxValueValidator(HIGHEST_VNI)]
    )
    # True once everything the backend needs is provisioned.
    is_ready = models.BooleanField(default=False)
    # True once the ZeroTier controller has admitted the member.
    is_told = models.BooleanField(default=False)
    cert_serial = models.CharField(max_length=50, blank=True)

    class Meta:
        verbose_name = _("VPN client")
        ordering = ["created"]
        constraints = [
            models.UniqueConstraint(fields=["device", "vpn"], name="one_client_each"),
            models.UniqueConstraint(fields=["vpn", "vni"], name="vni_once"),
        ]
        indexes = [
            models.Index(
                fields=["device"], name="client_not_ready", condition=models.Q(is_ready=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.device} in {self.vpn}"
