"""CAs, certificates, CRLs, and every serial number a CA has signed."""

from datetime import datetime, timedelta
from typing import ClassVar, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped, OrganizationScopedQuerySet, Shareable
from controller.base.models import Dated
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedTextField
from pki.engine import keys
from pki.engine.contract import Authority
from pki.engine.errors import Rejected
from pki.engine.extensions import parse as parse_extensions
from pki.engine.importing import read_certificates
from pki.engine.names import Subject
from pki.engine.software_ca import SoftwareAuthority
from pki.engine.summary import Line, summarize


class Reason(models.TextChoices):
    """Revocation reasons of RFC 5280, 5.3.1, without those for reversible revocations."""

    UNSPECIFIED = "unspecified", _("Unspecified")
    KEY_COMPROMISE = "keyCompromise", _("The key was exposed")
    CA_COMPROMISE = "cACompromise", _("The authority's key was exposed")
    AFFILIATION_CHANGED = "affiliationChanged", _("Its holder changed")
    SUPERSEDED = "superseded", _("Replaced by another")
    CESSATION = "cessationOfOperation", _("No longer in use")
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn", _("Its holder may no longer use it")


class Enrollment(models.TextChoices):
    """Who may request certificates over ACME and EST."""

    OFF = "off", _("Nobody")
    DEVICES = "devices", _("Devices, by their own key")
    OPEN = "open", _("Also whoever answers for a name over HTTP (ACME http-01)")


class CertifiedQuerySet(OrganizationScopedQuerySet):
    def expiring(self, within: timedelta, *, now: datetime | None = None) -> Self:
        """Filter to valid, unrevoked rows that end within `within`."""
        moment = now or timezone.now()
        return self.filter(
            revoked=False, validity_end__gt=moment, validity_end__lte=moment + within
        )

    def live(self) -> Self:
        return self.filter(revoked=False, validity_end__gt=timezone.now())


def valid_extensions(value: object) -> None:
    try:
        parse_extensions(value)
    except Rejected as rejected:
        raise ValidationError(rejected.errors["extensions"]) from rejected


class Certified(Shareable, Dated):
    """Common fields of CAs and certificates."""

    name = models.CharField(max_length=64)
    notes = models.TextField(blank=True)
    key_length = models.CharField(
        _("key"), max_length=8, default="2048", help_text=_("bits, or the kind of key")
    )
    digest = models.CharField(_("digest algorithm"), max_length=8, default="sha256")
    validity_start = models.DateTimeField()
    validity_end = models.DateTimeField(db_index=True)
    country_code = models.CharField(max_length=2, blank=True)
    state = models.CharField(_("state or province"), max_length=64, blank=True)
    city = models.CharField(max_length=64, blank=True)
    organization_name = models.CharField(_("organization"), max_length=64, blank=True)
    organizational_unit_name = models.CharField(max_length=64, blank=True)
    email = models.EmailField(_("e-mail address"), blank=True)
    common_name = models.CharField(max_length=64, blank=True)
    extensions = models.JSONField(default=list, blank=True, validators=[valid_extensions])
    serial_number = models.CharField(max_length=50)
    certificate = models.TextField(help_text=_("PEM"))
    private_key = EncryptedTextField(
        blank=True, help_text=_("PEM; empty where the device keeps its own")
    )
    passphrase = EncryptedTextField(blank=True, help_text=_("Passphrase of the private key."))
    auto_renew = models.BooleanField(
        _("renew automatically"),
        default=False,
        help_text=_(
            "Renew 30 days before the certificate expires, short-lived ones in their last third."
        ),
    )
    revoked = models.BooleanField(default=False)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revocation_reason = models.CharField(_("reason"), max_length=24, choices=Reason, blank=True)

    objects = CertifiedQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @property
    def parsed(self) -> x509.Certificate:
        return read_certificates(self.certificate)[0]

    @property
    def key(self) -> keys.PrivateKey:
        return keys.load(self.private_key, self.passphrase, trusted=True)

    @property
    def parsed_key(self) -> keys.PublicKey:
        """Return the certificate's public key; the device may hold the private one."""
        found: keys.PublicKey = self.parsed.public_key()  # type: ignore[assignment]
        return found

    @property
    def lifetime(self) -> timedelta:
        return self.validity_end - self.validity_start

    @property
    def subject(self) -> Subject:
        return Subject(**{name: getattr(self, name) for name in Subject.__dataclass_fields__})

    @property
    def summary(self) -> list[Line]:
        return summarize(self.parsed)

    @property
    def days_left(self) -> int:
        """Return the whole days until expiry; negative if expired."""
        return (self.validity_end - timezone.now()).days


def unique_names(label: str) -> list[models.BaseConstraint]:
    """Return constraints: a common name is unique among live rows of an organization."""
    live = models.Q(revoked=False) & ~models.Q(common_name="")
    return [
        models.UniqueConstraint(
            fields=["common_name", "organization"], condition=live, name=f"{label}_common_name"
        ),
        models.UniqueConstraint(
            fields=["common_name"],
            condition=live & models.Q(organization=None),
            name=f"{label}_common_name_shared",
        ),
    ]


class Ca(Certified):
    """A certificate authority with its key in the portal."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "ca:secret", whole=frozenset({"private_key", "passphrase"})
    )

    issuer = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="intermediates",
        help_text=_("Issuer, if it is in the portal."),
    )  # fmt: skip
    chain = models.TextField(
        blank=True, help_text=_("PEM certificates of the issuers, nearest first.")
    )
    enrollment = models.CharField(
        max_length=8, choices=Enrollment, default=Enrollment.OFF,
        help_text=_("Devices and programs that may request certificates over ACME and EST."),
    )  # fmt: skip
    # Hashes (hex) of name and key, by which OCSP requests identify the CA.
    ocsp_sha1 = models.CharField(max_length=80, editable=False, db_index=True)
    ocsp_sha256 = models.CharField(max_length=128, editable=False, db_index=True)

    class Meta:
        verbose_name = _("certificate authority")
        verbose_name_plural = _("certificate authorities")
        ordering = ["-created", "-pk"]
        constraints = unique_names("ca")

    @property
    def authority(self) -> Authority:
        """Return the signing implementation of this CA."""
        above = read_certificates(self.chain) if self.chain else []
        return SoftwareAuthority(self.parsed, self.key, above, self.digest)

    @property
    def bundle(self) -> str:
        """Return the CA's certificate and its issuers as PEM."""
        return self.certificate + self.chain


class Cert(Certified):
    """A certificate of a device, a server or a person."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "cert:secret", whole=frozenset({"private_key", "passphrase"})
    )

    ca = models.ForeignKey(Ca, models.PROTECT, related_name="certs", verbose_name=_("CA"))

    class Meta:
        verbose_name = _("certificate")
        ordering = ["-created", "-pk"]
        constraints = [
            *unique_names("cert"),
            models.UniqueConstraint(fields=["ca", "serial_number"], name="cert_serial_number"),
        ]

    @property
    def bundle(self) -> str:
        """Return the certificate and the full chain as PEM, as servers send it."""
        return self.certificate + self.ca.bundle


class Issued(OrganizationScoped):
    """A serial number signed by a CA. Kept after the row it was signed for.

    A renewal replaces the row's certificate, but the old one stays valid until it expires.
    A revocation therefore includes every serial number of the row, and the CRL is built
    from these.
    """

    organization_path: ClassVar[str] = "ca__organization"

    ca = models.ForeignKey(Ca, models.CASCADE, related_name="issued")
    serial_number = models.CharField(max_length=50, db_index=True)
    validity_end = models.DateTimeField()
    cert = models.ForeignKey(
        Cert, models.SET_NULL, null=True, blank=True, related_name="serials"
    )
    subordinate = models.ForeignKey(
        Ca, models.SET_NULL, null=True, blank=True, related_name="serials"
    )
    revoked_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=24, choices=Reason, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ca", "serial_number"], name="issued_serial_number")
        ]
        indexes = [
            models.Index(
                fields=["ca"], condition=~models.Q(revoked_at=None), name="issued_revoked"
            )
        ]

    def __str__(self) -> str:
        return self.serial_number


class RevocationList(models.Model):
    """The last signed CRL of a CA, served until the next one."""

    ca = models.OneToOneField(
        Ca, models.CASCADE, primary_key=True, related_name="revocation_list"
    )
    number = models.PositiveBigIntegerField()
    this_update = models.DateTimeField()
    next_update = models.DateTimeField(db_index=True)
    der = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.ca} {self.number}"

    def __repr__(self) -> str:
        return f"<RevocationList {self.ca_id} {self.number}>"

    @property
    def encoded(self) -> bytes:
        return bytes(self.der)

    @property
    def pem(self) -> str:
        return x509.load_der_x509_crl(self.encoded).public_bytes(Encoding.PEM).decode()
