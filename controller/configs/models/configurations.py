"""Templates, configurations, snapshots and pushes."""

from typing import ClassVar

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped, OrganizationScopedQuerySet, Shareable
from controller.base.leases import Leased, LeaseQueue, lease_index
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedBytesField, EncryptedJSONField
from controller.devices.models import Device, DeviceGroup, valid_object
from controller.vpn.models import Vpn


class Backend(models.TextChoices):
    OPENWRT = "netjsonconfig.OpenWrt", _("OpenWrt")
    OPENWISP = "netjsonconfig.OpenWisp", _("OpenWISP Firmware 1.x")


class Template(Shareable, Base):
    """Template: part of the configuration of many devices."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "device:secret", inside=frozenset({"config", "default_values"})
    )

    class Type(models.TextChoices):
        GENERIC = "generic", _("Generic")
        VPN = "vpn", _("VPN client")

    name = models.CharField(max_length=64)
    type = models.CharField(max_length=16, choices=Type.choices, default=Type.GENERIC)
    backend = models.CharField(max_length=128, choices=Backend)
    vpn = models.ForeignKey(
        Vpn, models.PROTECT, null=True, blank=True, related_name="templates",
        verbose_name=_("VPN server"), help_text=_("Devices with this template are its clients."),
    )  # fmt: skip
    auto_cert = models.BooleanField(
        _("automatic provisioning"), default=True,
        help_text=_("Create keys, certificates and addresses for the devices."),
    )  # fmt: skip
    tags = models.JSONField(
        default=list,
        blank=True,
        help_text=_("Devices that register with one of these tags get the template."),
    )
    default = models.BooleanField(
        _("by default"),
        default=False,
        help_text=_(
            "New devices of this backend get the template. It can be removed from a device."
        ),
    )
    required = models.BooleanField(
        default=False,
        help_text=_("Every device of this backend has the template. It cannot be removed."),
    )
    default_values = models.JSONField(
        _("default values"), default=dict, blank=True, validators=[valid_object],
        help_text=_("Default values of the variables. Values of groups, organizations and devices override them."),
    )  # fmt: skip
    config = models.JSONField(
        _("configuration"), default=dict, blank=True, validators=[valid_object],
        help_text=_("Leave empty on VPN client templates to create the client configuration from the server."),
    )  # fmt: skip
    notes = models.TextField(blank=True)

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"], name="template_name_unique"
            ),
            models.UniqueConstraint(
                fields=["name"],
                name="shared_template_name_unique",
                condition=models.Q(organization=None),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SnapshotQuerySet(OrganizationScopedQuerySet):
    def with_state(self) -> "SnapshotQuerySet":
        """Annotate the ``state`` of each snapshot, and whether it is the desired one."""
        state = Snapshot.State
        rows: SnapshotQuerySet = self.annotate(
            state=Case(
                When(config__applied=F("pk"), then=Value(state.APPLIED)),
                When(config__failed=F("pk"), then=Value(state.FAILED)),
                When(acknowledged__isnull=False, then=Value(state.REPLACED)),
                When(refused__isnull=False, then=Value(state.REFUSED)),
                default=Value(state.UNUSED),
                output_field=models.CharField(),
            ),
            is_current=models.ExpressionWrapper(
                Q(pk=F("config__desired")), output_field=models.BooleanField()
            ),
        )
        return rows

    def light(self) -> "SnapshotQuerySet":
        """Defer columns that are large and slow to decrypt."""
        rows: SnapshotQuerySet = self.defer("archive", "made_of")
        return rows


class Snapshot(OrganizationScoped):
    """Rendered archive of a device. Immutable, identified by its announced checksum."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "device:secret", whole=frozenset({"archive"}), inside=frozenset({"made_of"})
    )

    is_audited = False

    class State(models.TextChoices):
        APPLIED = "applied", _("On the device")
        FAILED = "failed", _("Refused by the device")
        REPLACED = "replaced", _("Was on the device")
        REFUSED = "refused", _("Was refused")
        UNUSED = "unused", _("Not delivered")

    organization_path = "config__device__organization"

    config = models.ForeignKey("configs.Config", models.CASCADE, related_name="snapshots")
    checksum = models.CharField(
        max_length=32, help_text=_("md5 of the archive, for the agents")
    )
    sha256 = models.CharField(max_length=64)
    archive = EncryptedBytesField(help_text=_("tar.gz"))
    made_of = EncryptedJSONField(
        null=True,
        help_text=_(
            "Backend, templates, config and context it was rendered from, and its secrets."
        ),
    )
    created = models.DateTimeField(default=timezone.now)
    acknowledged = models.DateTimeField(
        null=True, help_text=_("Last acknowledgment by the device.")
    )
    refused = models.DateTimeField(
        null=True, help_text=_("First time the device rejected the configuration.")
    )

    objects = SnapshotQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(fields=["config", "checksum"], name="snapshot_unique")
        ]

    def __str__(self) -> str:
        return self.checksum


class ConfigQuerySet(OrganizationScopedQuerySet):
    def stale(self) -> "ConfigQuerySet":
        """Return configurations whose inputs changed since they were rendered."""
        return self.filter(rendered_revision__lt=F("revision"))

    def invalidate(self) -> int:
        """Increment the revision of these configurations. Returns their number."""
        return self.update(revision=F("revision") + 1)


class Config(OrganizationScoped, Base):
    """Desired configuration of one device, and its progress.

    ``desired`` is the snapshot of the current inputs, ``served`` the one the device
    downloaded last,
    ``applied`` the one it acknowledged last, ``failed`` the one it refused last. The status
    is
    derived from these and cannot be set.
    """

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "device:secret", inside=frozenset({"config", "context"})
    )

    organization_path = "device__organization"
    # Derived from the inputs, or reported by the device.
    not_audited = frozenset({
        "revision", "rendered_revision", "desired", "served", "applied", "failed", "error_reason",
        "render_error", "applied_at", "drift", "drift_reason", "drifted_at", "drift_checked",
    })  # fmt: skip

    class Status(models.TextChoices):
        MODIFIED = "modified", _("Modified")
        APPLIED = "applied", _("Applied")
        ERROR = "error", _("Error")
        DEACTIVATING = "deactivating", _("Deactivating")
        DEACTIVATED = "deactivated", _("Deactivated")

    device = models.OneToOneField(Device, models.CASCADE, related_name="config")
    backend = models.CharField(
        max_length=128, choices=Backend, default=Backend.OPENWRT, db_index=True
    )
    config = models.JSONField(
        _("configuration"), default=dict, blank=True, validators=[valid_object]
    )
    context = models.JSONField(
        _("variables"), default=dict, blank=True, validators=[valid_object]
    )
    templates = models.ManyToManyField(
        Template, through="configs.TemplateUse", related_name="configs"
    )

    revision = models.PositiveBigIntegerField(default=1, editable=False)
    rendered_revision = models.PositiveBigIntegerField(default=0, editable=False)
    desired = models.ForeignKey(
        Snapshot, models.RESTRICT, null=True, editable=False, related_name="+"
    )
    served = models.ForeignKey(
        Snapshot, models.RESTRICT, null=True, editable=False, related_name="+"
    )
    applied = models.ForeignKey(
        Snapshot, models.RESTRICT, null=True, editable=False, related_name="+"
    )
    failed = models.ForeignKey(
        Snapshot, models.RESTRICT, null=True, editable=False, related_name="+"
    )
    error_reason = models.CharField(max_length=1024, blank=True, editable=False)
    render_error = models.TextField(blank=True, editable=False)
    applied_at = models.DateTimeField(null=True, editable=False)
    drift = models.JSONField(
        default=list, editable=False, help_text=_("Files that were changed on the device.")
    )
    drift_reason = models.TextField(blank=True, editable=False)
    drifted_at = models.DateTimeField(
        null=True, editable=False, help_text=_("Time at which the drift was first found.")
    )
    drift_checked = models.DateTimeField(null=True, editable=False)
    is_retired = models.BooleanField(default=False, editable=False)
    status = models.GeneratedField(
        expression=Case(
            When(is_retired=True, applied=F("desired"), then=Value(Status.DEACTIVATED)),
            When(is_retired=True, then=Value(Status.DEACTIVATING)),
            When(~Q(render_error=""), then=Value(Status.ERROR)),
            When(failed=F("desired"), then=Value(Status.ERROR)),
            When(applied=F("desired"), then=Value(Status.APPLIED)),
            default=Value(Status.MODIFIED),
        ),
        output_field=models.CharField(max_length=16, choices=Status.choices),
        db_persist=True,
    )

    objects = ConfigQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        indexes = [
            models.Index(fields=["status"]),
            models.Index(
                fields=["drifted_at"], name="config_drifted", condition=Q(drifted_at__isnull=False)
            ),
            models.Index(
                fields=["id"], name="config_stale",
                condition=Q(rendered_revision__lt=F("revision")),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"Configuration of {self.device}"


class TemplateUse(models.Model):
    """Assignment of a template to a configuration; later positions override earlier ones."""

    config = models.ForeignKey(Config, models.CASCADE, related_name="uses")
    template = models.ForeignKey(Template, models.PROTECT, related_name="uses")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["config", "template"], name="template_once")
        ]

    def __str__(self) -> str:
        return f"{self.position}: {self.template}"


class GroupTemplate(models.Model):
    """Template that devices get by joining a group, in order."""

    group = models.ForeignKey(DeviceGroup, models.CASCADE, related_name="template_uses")
    template = models.ForeignKey(Template, models.PROTECT, related_name="group_uses")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["group", "template"], name="group_template_once")
        ]

    def __str__(self) -> str:
        return f"{self.position}: {self.template}"


class Push(OrganizationScoped, Leased):
    """Delivery to one device: queued, in progress, or done; at most one open per device."""

    is_audited = False
    organization_path = "config__device__organization"

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        APPLYING = "applying", _("Applying")
        APPLIED = "applied", _("Applied")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Unknown")
        SUPERSEDED = "superseded", _("Superseded")

    OPEN = (State.QUEUED, State.APPLYING, State.UNKNOWN)

    config = models.ForeignKey(Config, models.CASCADE, related_name="pushes")
    snapshot = models.ForeignKey(Snapshot, models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    reason = models.TextField(blank=True)
    # The worker that pushed could not learn the outcome. If a sent push is not in doubt, its
    # worker was
    # lost before confirming the push.
    in_doubt = models.BooleanField(default=False)
    created = models.DateTimeField(default=timezone.now)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = _("pushes")
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(
                fields=["config"], name="one_open_push",
                condition=Q(state__in=["queued", "applying", "unknown"]),
            )
        ]  # fmt: skip
        indexes = [
            models.Index(
                fields=["not_before"], name="open_pushes",
                condition=Q(state__in=["queued", "applying", "unknown"]),
            ),
            models.Index(fields=["config", "-created"]),
            lease_index("push_leased"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.config.device} {self.state}"


PUSHES = LeaseQueue(
    "pushes", Push, waits=Q(state__in=Push.OPEN), leased={"state": Push.State.APPLYING},
    waiting={"state": Push.State.QUEUED}, seconds=20,
)  # fmt: skip
