"""Subnets and their allocated addresses."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped, Shareable
from controller.base.fields import AddressField
from controller.base.models import Base
from networks.ipam.engine import addresses
from networks.ipam.engine.addresses import Network, Range

CIDR_HELP = (
    'Subnet in CIDR notation, eg: "10.0.0.0/24" for IPv4 and "fdb6:21b:a477::9f7/64" for IPv6'
)
LONGEST_KEY = 33


def valid_network(value: str) -> None:
    try:
        addresses.network(value)
    except ValueError as error:
        raise ValidationError(
            gettext(
                "%(value)s is no network: write its address and prefix length, as in 10.0.0.0/24."
            )
            % {"value": repr(value)}
        ) from error


class Subnet(Shareable, Base):
    """A range of addresses, of one organization or shared by all."""

    name = models.CharField(max_length=100, db_index=True)
    subnet = models.CharField(max_length=43, validators=[valid_network], help_text=CIDR_HELP)
    description = models.CharField(max_length=100, blank=True)
    master_subnet = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="child_subnets",
        help_text=_("Larger subnet that contains this one."),
    )  # fmt: skip
    # Texts that sort like the addresses, so that an index finds overlaps and gaps.
    first = models.CharField(max_length=LONGEST_KEY, editable=False, db_index=True)
    last = models.CharField(max_length=LONGEST_KEY, editable=False)

    class Meta:
        ordering = ["first", "last"]
        constraints = [
            models.UniqueConstraint(fields=["subnet", "organization"], name="subnet_unique"),
            models.UniqueConstraint(
                fields=["subnet"],
                condition=models.Q(organization=None),
                name="shared_subnet_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.subnet}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.note_span()
        super().save(*args, **kwargs)

    def note_span(self) -> None:
        """Normalize the network and store its first and last address. Raises ValueError."""
        net = addresses.network(self.subnet)
        span = addresses.whole(net)
        self.subnet = str(net)
        self.first = addresses.sort_key(net.version, span.first)
        self.last = addresses.sort_key(net.version, span.last)

    @property
    def network(self) -> Network:
        return addresses.network(self.subnet)

    @property
    def hosts(self) -> Range:
        return addresses.hosts(self.network)

    @property
    def span(self) -> Range:
        return addresses.whole(self.network)

    def text(self, number: int) -> str:
        return addresses.as_text(self.network.version, number)

    def key(self, number: int) -> str:
        return addresses.sort_key(self.network.version, number)


class IpAddress(OrganizationScoped, Base):
    """An allocated address."""

    organization_path: ClassVar[str] = "subnet__organization"
    is_shareable: ClassVar[bool] = True

    subnet = models.ForeignKey(Subnet, models.CASCADE, related_name="addresses")
    ip_address = AddressField(_("address"))
    description = models.CharField(max_length=100, blank=True)
    number = models.CharField(max_length=LONGEST_KEY, editable=False)

    class Meta:
        verbose_name = _("IP address")
        verbose_name_plural = _("IP addresses")
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(
                fields=["subnet", "number"],
                name="address_once",
                violation_error_message=_("IP address already used."),
            )
        ]

    def __str__(self) -> str:
        return str(self.ip_address)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.number = addresses.key_of(self.ip_address)
        super().save(*args, **kwargs)
