"""Overlay networks, nodes, members, shares and join codes.

A network belongs to a user and may be shared with other users: a device's organization
decides who configures it, not who reaches it.
"""

from typing import Any, ClassVar, Self
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from guardian.shortcuts import get_objects_for_user

from controller.accounts.models import Audited, User
from controller.base.models import Dated
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedTextField, digest
from controller.devices.models import Device
from networks.overlay.engine.overlay_names import new_code

PERMISSIONS = {"member": "member_network", "admin": "admin_network"}
LOWEST_PORT, HIGHEST_PORT = 1024, 65535


def neighbor_of(port: int) -> int:
    return port + 1 if port < HIGHEST_PORT else port - 1


class Told(Audited):
    """Base of overlay models. Their audit entries belong to no organization."""

    @property
    def audit_organization_id(self) -> UUID | None:
        return None


class Account(models.Model):
    """A user's number in the Husarnet API."""

    user = models.OneToOneField(User, models.CASCADE, related_name="network_account")

    def __str__(self) -> str:
        return f"{self.pk}: {self.user}"


class NodeQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser, to: str = "") -> Self:
        """Filter to the user's own nodes and the nodes of networks visible to the user."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        networks = Network.objects.visible_to(user).values("pk")
        shared = Member.objects.filter(network__in=networks).values("node")
        return self.filter(Q(owner=user) | Q(pk__in=shared))

    def touch(self) -> int:
        """Mark these nodes' plans as outdated. Returns the number of nodes."""
        return self.update(revision=F("revision") + 1)


class Node(Told, Dated):
    """A device in the overlay: one key and one address for all its networks."""

    secret_fields: ClassVar[SecretFields] = SecretFields(whole=frozenset({"private_key"}))

    class KeyMode(models.TextChoices):
        DEVICE = "device", _("Made on the device")
        PORTAL = "portal", _("Made here, and kept encrypted")
        STATIC = "static", _("Made here, shown once and forgotten")

    not_audited: ClassVar[frozenset[str]] = frozenset(
        {
            "revision", "followed_revision", "last_seen", "checked_at", "received", "observed",
            "offers", "reported_at", "relay_count",
        }
    )  # fmt: skip

    owner = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="overlay_nodes"
    )
    device = models.OneToOneField(
        Device, models.CASCADE, null=True, blank=True, related_name="overlay_node",
        help_text=_("Device of the inventory that the portal configures for this network."),
    )  # fmt: skip
    name = models.CharField(max_length=63, help_text=_("Host name in all overlay networks."))
    is_fully_managed = models.BooleanField(
        default=False, help_text=_("Also set the name as the host name of the device.")
    )
    is_relay = models.BooleanField(default=False, editable=False)
    # Order among relays; the address of the first is in all join codes.
    rank = models.PositiveSmallIntegerField(default=0, editable=False)
    # Never recomputed: a device that changes its key keeps its address.
    address = models.GenericIPAddressField(protocol="IPv6", unique=True, editable=False)
    public_key = models.CharField(max_length=44, unique=True, editable=False)
    private_key = EncryptedTextField(blank=True, editable=False)
    key_mode = models.CharField(
        max_length=6, choices=KeyMode, default=KeyMode.DEVICE, editable=False
    )
    port = models.PositiveIntegerField(
        default=51820,
        validators=[MinValueValidator(LOWEST_PORT), MaxValueValidator(HIGHEST_PORT)],
    )
    endpoint = models.CharField(
        max_length=128, blank=True,
        help_text=_("Public host and port, such as vpn.example.org:51820. Leave empty behind NAT."),
    )  # fmt: skip
    token_digest = models.CharField(max_length=64, unique=True, null=True, editable=False)  # noqa: DJ001 - unique, but for those that have none
    renewal_digest = models.CharField(max_length=64, unique=True, null=True, editable=False)  # noqa: DJ001 - unique, but for those that have none
    link_digest = models.CharField(max_length=64, blank=True, editable=False)

    # Presence, as last observed.
    online = models.BooleanField(null=True, editable=False)
    evidence = models.CharField(max_length=16, blank=True, editable=False)
    checked_at = models.DateTimeField(null=True, editable=False)
    last_seen = models.DateTimeField(null=True, editable=False)
    last_handshake = models.DateTimeField(null=True, editable=False)
    observed = models.CharField(max_length=64, blank=True, editable=False)
    received = models.BigIntegerField(null=True, editable=False)
    latency = models.FloatField(_("latency in ms"), null=True, editable=False)

    # What its agent says about direct ways: addresses, port mapping, what it lacks.
    offers = models.JSONField(default=dict, editable=False)
    reported_at = models.DateTimeField(null=True, editable=False)
    relay_count = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text=_("Relays that it is connected with, if several.")
    )

    # Revision of the plan, and the revision already handed to the device's configuration.
    revision = models.PositiveBigIntegerField(default=1, editable=False)
    followed_revision = models.PositiveBigIntegerField(default=0, editable=False)

    objects = NodeQuerySet.as_manager()

    class Meta:
        verbose_name = _("overlay device")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["rank"], condition=Q(is_relay=True), name="relay_rank_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["id"], name="node_not_followed",
                condition=Q(followed_revision__lt=F("revision")),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name

    @property
    def ports(self) -> tuple[int, int]:
        """Return the ports of its interface for the relay, and of that for direct ways.

        The configured endpoint is where others reach it: a relay's leads to the first, any
        other device's to the second.
        """
        other = neighbor_of(self.port)
        is_public = bool(self.endpoint) and not self.is_relay
        return (other, self.port) if is_public else (self.port, other)


class NetworkQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser, to: str = "") -> Self:
        """Filter to the user's own networks and those shared with the user."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        codes = list(PERMISSIONS.values())
        shared = get_objects_for_user(user, codes, Network, any_perm=True).values("pk")
        return self.filter(Q(owner=user) | Q(pk__in=shared))


class Network(Told, Dated):
    """A set of devices that reach each other."""

    owner = models.ForeignKey(User, models.PROTECT, related_name="networks")
    name = models.CharField(max_length=255)
    slug = models.SlugField(max_length=63, editable=False)
    share_nonce = models.CharField(max_length=22, default=new_code, editable=False)
    master = models.ForeignKey(
        "networks.Member", models.SET_NULL, null=True, blank=True, related_name="+",
        help_text=_("Member that the name “master” resolves to."),
    )  # fmt: skip
    ipv4_range = models.CharField(
        _("IPv4 range"), max_length=18, blank=True,
        help_text=_(
            "Range from which members get IPv4 addresses too, such as 10.64.0.0/24; “auto” "
            "chooses a free one. Leave empty for IPv6 alone."
        ),
    )  # fmt: skip
    has_resolver = models.BooleanField(
        _("names by DNS"), default=False,
        help_text=_(
            "Relays answer for the names of the members. They need dnsmasq. Without this, "
            "members find each other by their hosts files alone."
        ),
    )  # fmt: skip
    policy = models.JSONField(default=dict, blank=True)
    policy_tests = models.JSONField(default=list, blank=True)
    refreshed = models.DateTimeField(null=True, editable=False)

    objects = NetworkQuerySet.as_manager()

    class Meta:
        verbose_name = _("overlay network")
        ordering = ["pk"]
        permissions = [
            ("member_network", "Adds devices, and removes their own"),
            ("admin_network", "Adds and removes devices, and shares"),
        ]

    def __str__(self) -> str:
        return self.name


class MemberQuerySet(models.QuerySet[Any]):
    def active(self) -> Self:
        return self.filter(state=Member.State.ACTIVE).filter(
            Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        )


class Member(Told, Dated):
    """A device in a network."""

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        PENDING = "pending", _("Pending approval")

    network = models.ForeignKey(Network, models.CASCADE, related_name="members")
    node = models.ForeignKey(Node, models.CASCADE, related_name="memberships")
    joined_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE)
    tags = models.JSONField(default=list, blank=True)
    ipv4_address = models.GenericIPAddressField(
        _("IPv4 address"), protocol="IPv4", null=True, unique=True, editable=False
    )
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = MemberQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["network", "node"], name="member_once")]

    def __str__(self) -> str:
        return gettext("%(node)s in %(network)s") % {"node": self.node, "network": self.network}


class Share(Told, Dated):
    """Access granted to an e-mail address; effective once the address is verified."""

    class Permissions(models.TextChoices):
        MEMBER = "member", _("Member")
        ADMIN = "admin", _("Administrator")

    network = models.ForeignKey(Network, models.CASCADE, related_name="shares")
    email = models.EmailField(_("e-mail"))
    permissions = models.CharField(
        max_length=6, choices=Permissions, default=Permissions.MEMBER
    )
    user = models.ForeignKey(
        User, models.CASCADE, null=True, editable=False, related_name="network_shares"
    )
    accepted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint("network", Lower("email"), name="share_once"),
        ]

    def __str__(self) -> str:
        return gettext("%(network)s for %(person)s") % {
            "network": self.network,
            "person": self.email,
        }


class JoinCode(Told, Dated):
    """A code with which devices join a network without a user signing in on them."""

    secret_fields: ClassVar[SecretFields] = SecretFields(whole=frozenset({"secret"}))

    network = models.ForeignKey(Network, models.CASCADE, related_name="codes")
    label = models.CharField(
        max_length=64, blank=True, help_text=_("Purpose, such as “nightly report”.")
    )
    secret = EncryptedTextField(default=new_code, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    creator = models.ForeignKey(
        User, models.CASCADE, editable=False, related_name="+",
        help_text=_("Owner of the devices that join with the code."),
    )  # fmt: skip
    is_default = models.BooleanField(default=False, editable=False)
    uses = models.PositiveIntegerField(default=0, editable=False)
    max_uses = models.PositiveIntegerField(
        _("most uses"), null=True, blank=True, help_text=_("Leave empty for no limit.")
    )
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    needs_approval = models.BooleanField(
        default=False, help_text=_("A person approves each device.")
    )
    revoked = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["network"],
                condition=Q(is_default=True, revoked=None),
                name="one_default_code",
            )
        ]

    def __str__(self) -> str:
        return self.label or f"Code of {self.network}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.digest = digest(self.secret)
        super().save(*args, **kwargs)

    @property
    def is_good(self) -> bool:
        expired = self.expires_at is not None and self.expires_at <= timezone.now()
        used_up = self.max_uses is not None and self.uses >= self.max_uses
        return self.revoked is None and not expired and not used_up
