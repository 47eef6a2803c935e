"""How long rows are kept: a rule for every table, and the task that prunes by it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from controller.base.leases import for_each

# Small, so that nobody waits long for the one write lock that SQLite has.
BATCH = 500
MOST_BATCHES = 200


@dataclass(frozen=True)
class Rule:
    """Rows of a table are deleted so many days after a date of theirs."""

    label: str
    setting: str
    """The setting with the number of days; 0 keeps rows for ever. Empty: at the date itself."""
    since: str
    where: Q = field(default_factory=Q)
    what: str = ""

    @property
    def days(self) -> int:
        return int(getattr(settings, self.setting)) if self.setting else 0

    def rows(self) -> QuerySet[Any]:
        """Return the rows whose time is over."""
        objects = apps.get_model(self.label)._base_manager
        if self.setting and not self.days:
            nothing: QuerySet[Any] = objects.none()
            return nothing
        before = timezone.now() - timedelta(days=self.days)
        old: QuerySet[Any] = objects.filter(self.where, **{f"{self.since}__lt": before})
        return old


HISTORY, CHANGES = "MUSTER_HISTORY_DAYS", "MUSTER_CHANGE_HISTORY_DAYS"
ENDED = Q(ended__isnull=False)

RULES = (
    Rule("accounts.Version", "MUSTER_VERSION_DAYS", "at", what="all"),
    Rule("accounts.Session", HISTORY, "expires", what="ended"),
    Rule("accounts.TableImport", HISTORY, "ended", ENDED, "ended"),
    Rule("accounts.Invitation", HISTORY, "expires", what="expired"),
    Rule("accounts.Lockout", "MUSTER_LOCKOUT_DAYS", "last_failure", what="of names"),
    Rule("sessions.Session", "", "expire_date", what="of browsers, when they end"),
    Rule("admin.LogEntry", HISTORY, "action_time", what="all"),
    Rule("account.EmailConfirmation", HISTORY, "created", what="all"),
    Rule("configs.Push", HISTORY, "ended", ENDED, "ended"),
    Rule("configs.DeviceBatch", HISTORY, "ended", ENDED, "ended"),
    Rule("configs.Rollout", CHANGES, "ended", ENDED, "ended"),
    Rule("connections.Command", HISTORY, "ended", ENDED, "ended"),
    Rule(
        "connections.CommandBatch", HISTORY, "created", Q(commands=None),
        "whose commands are gone",
    ),
    Rule("devices.StatusChange", HISTORY, "at", what="all"),
    Rule("devices.Enrollment", HISTORY, "decided", Q(state="rejected"), "rejected"),
    Rule("discovery.Scan", HISTORY, "ended", ENDED, "ended"),
    Rule("networks.GatewayStatus", HISTORY, "at", what="all"),
    Rule(
        "networks.Change", CHANGES, "modified",
        Q(state__in=["applied", "failed", "discarded", "expired", "rolled_back"]), "ended",
    ),
    Rule(
        "networks.ChangeSet", CHANGES, "modified",
        Q(state__in=["applied", "failed", "rolled_back", "discarded"], changes=None),
        "whose changes are gone",
    ),
    Rule("networks.JoinCode", HISTORY, "expires_at", what="expired"),
    Rule("notifications.Mute", HISTORY, "valid_till", what="over"),
    Rule("pki.AcmeOrder", HISTORY, "expires", what="expired"),
    Rule(
        "supervisor_proxy.SupervisorBatch", "MUSTER_SUPERVISOR_HISTORY_DAYS", "created",
        Q(calls=None), "whose calls are gone",
    ),
    Rule("supervisor_proxy.UpdateCampaign", CHANGES, "ended", ENDED, "ended"),
    Rule("supervisor_proxy.HomeAlert", HISTORY, "ended", ENDED, "ended"),
    Rule("supervisor_proxy.IngressSession", "", "expires", what="when they end"),
    Rule("connections.Terminal", "MUSTER_RECORDING_DAYS", "created",
         ~Q(state="open"), "closed, with their recordings"),
)  # fmt: skip

# Tables with a rule of their own, and what it is.
OWN: Mapping[str, str] = {
    "notifications.Notice": f"`{HISTORY}`, but the latest of each object",
    "notifications.Notification": f"`{HISTORY}`",
    "notifications.Delivery": f"`{HISTORY}`",
    "configs.Snapshot": "the newest `MUSTER_SNAPSHOTS_KEPT` of each device, and those in use",
    "supervisor_proxy.SupervisorCall": "`MUSTER_SUPERVISOR_HISTORY_DAYS`",
    "supervisor_proxy.RememberedAnswer": "24 hours",
    "supervisor_proxy.StoredBackup": "as many as its plan keeps",
    "networks.GatewayBackup": "as many, and as long, as its policy says; the newest stays",
    "networks.StoredConfiguration": "as long as a backup has it",
    "monitoring.Sample": "`MUSTER_METRICS_FINE_DAYS`, `_HOUR_DAYS` and `_DAY_DAYS`",
    "monitoring.Block": "`MUSTER_METRICS_FINE_DAYS`, `_HOUR_DAYS` and `_DAY_DAYS`",
    "monitoring.Condition": f"`{HISTORY}` after it is over",
    "monitoring.Reboot": f"`{HISTORY}`",
    "monitoring.WifiSession": "`MUSTER_WIFI_SESSION_DAYS`",
    "firmware.FirmwareRollout": "`MUSTER_FIRMWARE_HISTORY_DAYS`",
    "firmware.Upgrade": "`MUSTER_FIRMWARE_HISTORY_DAYS`",
    "firmware.GatewayRollout": "`MUSTER_FIRMWARE_HISTORY_DAYS`",
    "firmware.ImageRequest": "`MUSTER_FIRMWARE_HISTORY_DAYS`",
    "firmware.ConfigurationBackup": "the newest three of each device",
    "firmware.ImageDownload": "an hour",
    "accounts.AuditEntry": "for ever: its chain proves that no entry is missing",
    "pki.Issued": "for ever: revocation lists and OCSP are made of it",
}

# Rows that go with the row they belong to.
WITH: Mapping[str, str] = {
    "configs.DeviceBatchRow": "configs.DeviceBatch",
    "configs.RolloutDevice": "configs.Rollout",
    "discovery.Finding": "discovery.Scan",
    "firmware.GatewayUpgrade": "firmware.GatewayRollout",
    "networks.ChangeApproval": "networks.Change",
    "networks.ChangeEvent": "networks.Change",
    "pki.AcmeAuthorization": "pki.AcmeOrder",
    "supervisor_proxy.CampaignDevice": "supervisor_proxy.UpdateCampaign",
    "connections.TerminalPart": "connections.Terminal",
}

# What grows only with what people add, and stays until somebody removes it.
INVENTORY = frozenset(
    [
        "accounts.ApiKey",
        "accounts.ApiToken",
        "accounts.AuditChain",
        "accounts.Authenticator",
        "accounts.BackupCode",
        "accounts.GroupRole",
        "accounts.Membership",
        "accounts.Organization",
        "accounts.SavedFilter",
        "accounts.Site",
        "accounts.SiteGrant",
        "accounts.User",
        "account.EmailAddress",
        "auth.Group",
        "auth.Permission",
        "contenttypes.ContentType",
        "guardian.GroupObjectPermission",
        "guardian.UserObjectPermission",
        "socialaccount.SocialAccount",
        "socialaccount.SocialApp",
        "socialaccount.SocialToken",
        "configs.Config",
        "configs.GroupTemplate",
        "configs.Template",
        "configs.TemplateUse",
        "connections.Credentials",
        "connections.DeviceConnection",
        "devices.Device",
        "devices.DeviceGroup",
        "devices.OrganizationSettings",
        "devices.Presence",
        "firmware.Build",
        "firmware.Category",
        "firmware.DeviceFirmware",
        "firmware.DeviceSystem",
        "firmware.FirmwarePolicy",
        "firmware.Image",
        "firmware.ImageBoard",
        "firmware.TrustedKey",
        "geo.DeviceLocation",
        "geo.FloorPlan",
        "geo.FloorPlanImage",
        "geo.Location",
        "geo.OrganizationGeoSettings",
        "monitoring.Check",
        "monitoring.CheckRun",
        "monitoring.LatestSample",
        "monitoring.MonitoredDevice",
        "monitoring.MonitoredGateway",
        "monitoring.MonitoredOrganization",
        "monitoring.MonitoredPart",
        "monitoring.Silence",
        "monitoring.Snapshot",
        "monitoring.Threshold",
        "networks.Account",
        "networks.Division",
        "networks.DivisionRule",
        "networks.Gateway",
        "networks.GatewayBackupPolicy",
        "networks.IpAddress",
        "networks.Member",
        "networks.MemberSubnet",
        "networks.Network",
        "networks.Node",
        "networks.Pair",
        "networks.Share",
        "networks.Sighting",
        "networks.Subnet",
        "networks.WayMeasures",
        "notifications.OrganizationPreference",
        "notifications.Preference",
        "notifications.Webhook",
        "pki.AcmeAccount",
        "pki.Ca",
        "pki.Cert",
        "pki.RevocationList",
        "supervisor_proxy.BackupPlan",
        "supervisor_proxy.Home",
        "supervisor_proxy.Supervisor",
        "vpn.Vpn",
        "vpn.VpnClient",
    ]
)


@shared_task
def prune() -> int:
    """Delete the rows whose time is over. Returns the number of deleted rows."""
    counts: list[int] = []
    for_each(RULES, lambda rule: counts.append(prune_table(rule)), name="retention")
    return sum(counts)


def prune_table(rule: Rule) -> int:
    """Delete the rows of one rule, batch by batch, each in a transaction of its own."""
    gone = 0
    for _ in range(MOST_BATCHES):
        with transaction.atomic():
            ids = list(rule.rows().order_by().values_list("pk", flat=True).distinct()[:BATCH])
            apps.get_model(rule.label)._base_manager.filter(pk__in=ids).delete()
        gone += len(ids)
        if len(ids) < BATCH:
            break
    return gone


def table() -> str:
    """Return the rules as a table in Markdown."""
    return "\n".join(["| rows | kept for |", "|---|---|", *sorted(_lines())]) + "\n"


def _lines() -> Iterator[str]:
    for rule in RULES:
        days = (
            f"`{rule.setting}` ({rule.days or 'for ever'})"
            if rule.setting
            else "as long as they are valid"
        )
        yield f"| {_name(rule.label)}: {rule.what} | {days} |"
    for label, sentence in OWN.items():
        yield f"| {_name(label)} | {sentence} |"
    for label, parent in WITH.items():
        yield f"| {_name(label)} | with their {_name(parent)} |"


def _name(label: str) -> str:
    meta = apps.get_model(label)._meta
    return f"{meta.verbose_name_plural} (`{meta.db_table}`)"
