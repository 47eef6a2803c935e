"""Serializers of scans and findings in the FreeSDN dialect."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controller.accounts.api.serializers import VisibleRelatedField
from controller.accounts.models import Organization, Site
from controller.dialects.fields import IpAddressField
from controller.dialects.openapi.shapes import NUMBERS, OBJECT, TEXTS
from controller.discovery.drivers.contract import USUAL_METHODS, USUAL_PORTS
from controller.discovery.models import Finding, Scan


class Options(serializers.Serializer[Any]):
    max_concurrent_hosts = serializers.IntegerField(
        source="at_once", required=False, min_value=1, max_value=500
    )
    tcp_timeout = serializers.FloatField(
        source="seconds", required=False, min_value=0.5, max_value=30
    )
    resolve_hostnames = serializers.BooleanField(required=False)
    snmp_community = serializers.CharField(
        source="community", required=False, write_only=True, max_length=64,
        help_text="Kept encrypted, and forgotten when the scan is over.",
    )  # fmt: skip


class Wanted(serializers.Serializer[Any]):
    targets = serializers.ListField(
        child=serializers.CharField(max_length=100), min_length=1, max_length=256
    )
    exclude_targets = serializers.ListField(
        child=serializers.CharField(max_length=100), default=list, max_length=256
    )
    site_id = VisibleRelatedField(queryset=Site.objects.all(), required=False, allow_null=True)
    organization_id = VisibleRelatedField(
        queryset=Organization.objects.all(), required=False, allow_null=True,
        help_text="Where no site is named; one that is the caller's only one need not be.",
    )  # fmt: skip
    scan_methods = serializers.ListField(
        child=serializers.CharField(max_length=16), default=list(USUAL_METHODS), max_length=16
    )
    tcp_ports = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=65535),
        default=list(USUAL_PORTS), max_length=64,
    )  # fmt: skip
    options = Options(default=dict)


class StartedShape(serializers.ModelSerializer[Scan]):
    scan_id = serializers.UUIDField(source="pk")
    status = serializers.CharField(source="state")
    total_targets = serializers.IntegerField(source="total")
    message = serializers.SerializerMethodField()

    class Meta:
        model = Scan
        fields = ["scan_id", "status", "total_targets", "message"]

    def get_message(self, row: Scan) -> str:
        return f"Looking at {row.total} addresses."


def elapsed(row: Scan) -> float:
    """Return for how many seconds a scan has run."""
    if row.began is None:
        return 0.0
    return round(((row.ended or timezone.now()) - row.began).total_seconds(), 1)


class ProgressShape(serializers.ModelSerializer[Scan]):
    scan_id = serializers.UUIDField(source="pk")
    status = serializers.CharField(source="state")
    total_hosts = serializers.IntegerField(source="total")
    scanned_hosts = serializers.IntegerField(source="scanned")
    discovered_hosts = serializers.IntegerField(source="found")
    progress_pct = serializers.FloatField(source="percent")
    elapsed_seconds = serializers.SerializerMethodField()
    estimated_remaining_seconds = serializers.SerializerMethodField()
    started_at = serializers.DateTimeField(source="began", allow_null=True)
    errors = serializers.SerializerMethodField()  # type: ignore[assignment]
    # The portal looks at each address once: a scan has one phase.
    current_phase = serializers.CharField(source="state")
    phase_progress = serializers.FloatField(source="percent")

    class Meta:
        model = Scan
        fields = [
            "scan_id", "status", "current_phase", "phase_progress", "total_hosts", "scanned_hosts", "discovered_hosts",
            "progress_pct", "errors", "elapsed_seconds", "estimated_remaining_seconds",
            "started_at",
        ]  # fmt: skip

    def get_elapsed_seconds(self, row: Scan) -> float:
        return elapsed(row)

    def get_estimated_remaining_seconds(self, row: Scan) -> float | None:
        if row.ended or not row.scanned:
            return 0.0 if row.ended else None
        left = row.total - row.scanned
        return round(self.get_elapsed_seconds(row) / row.scanned * left, 1)

    def get_errors(self, row: Scan) -> list[str]:
        return [row.trouble] if row.trouble else []


class HistoryShape(serializers.ModelSerializer[Scan]):
    shapes = {"targets": TEXTS}

    scan_id = serializers.UUIDField(source="pk")
    status = serializers.CharField(source="state")
    started_at = serializers.DateTimeField(source="began", allow_null=True)
    total_discovered = serializers.IntegerField(source="found")
    progress = serializers.FloatField(source="percent")

    class Meta:
        model = Scan
        fields = ["scan_id", "status", "started_at", "targets", "total_discovered", "progress"]


class FindingShape(serializers.ModelSerializer[Finding]):
    shapes = {"open_ports": NUMBERS, "services": OBJECT, "discovered_via": TEXTS}

    ip_address = serializers.CharField(source="address")
    open_ports = serializers.JSONField(source="ports")
    discovered_via = serializers.JSONField(source="ways")
    discovered_at = serializers.DateTimeField(source="created")
    services = serializers.JSONField(source="said")
    device_id = serializers.UUIDField(allow_null=True)
    is_manageable = serializers.SerializerMethodField()

    class Meta:
        model = Finding
        fields = [
            "id", "ip_address", "mac_address", "manufacturer", "hostname", "vendor", "device_type",
            "open_ports", "services", "discovered_via", "discovered_at", "device_id", "is_manageable",
        ]  # fmt: skip

    def get_is_manageable(self, row: Finding) -> bool:
        return bool(row.vendor)


class ResultsShape(serializers.ModelSerializer[Scan]):
    scan_id = serializers.UUIDField(source="pk")
    status = serializers.CharField(source="state")
    total_targets = serializers.IntegerField(source="total")
    total_discovered = serializers.IntegerField(source="found")
    total_manageable = serializers.SerializerMethodField()
    elapsed_seconds = serializers.SerializerMethodField()
    started_at = serializers.DateTimeField(source="began", allow_null=True)
    completed_at = serializers.DateTimeField(source="ended", allow_null=True)
    devices = serializers.SerializerMethodField()

    class Meta:
        model = Scan
        fields = [
            "scan_id", "status", "total_targets", "total_discovered", "total_manageable",
            "elapsed_seconds", "started_at", "completed_at", "devices",
        ]  # fmt: skip

    def get_total_manageable(self, row: Scan) -> int:
        return row.findings.exclude(vendor="").count()

    def get_elapsed_seconds(self, row: Scan) -> float:
        return elapsed(row)

    @extend_schema_field(FindingShape(many=True))
    def get_devices(self, row: Scan) -> Any:
        first, most = self.context["offset"], self.context["limit"]
        return FindingShape(row.findings.all()[first : first + most], many=True).data


class Adopting(serializers.Serializer[Any]):
    ip_address = IpAddressField()
    name = serializers.CharField(max_length=64)
    scan_id = serializers.UUIDField(
        required=False, help_text="Of several scans that found this address; else the newest."
    )
    site_id = VisibleRelatedField(queryset=Site.objects.all(), required=False, allow_null=True)
    mac_address = serializers.CharField(max_length=17, required=False, default="")


class AdoptingMany(serializers.Serializer[Any]):
    devices = Adopting(many=True, allow_empty=False, max_length=100)  # type: ignore[call-arg]


class AdoptedManyShape(serializers.Serializer[Any]):
    adopted = serializers.ListField(child=serializers.DictField())
    failed = serializers.ListField(child=serializers.DictField())


class OneHost(serializers.Serializer[Any]):
    ip_address = IpAddressField()
    ports = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=65535),
        default=list(USUAL_PORTS), max_length=32,
    )  # fmt: skip


class Sought(serializers.Serializer[Any]):
    ip_address = IpAddressField()
    scan_id = serializers.UUIDField(required=False)


class MatchShape(serializers.Serializer[Any]):
    driver_id = serializers.CharField()
    kind = serializers.CharField(help_text="gateway, or device for what is reached by SSH.")
    reason = serializers.CharField()


class MatchesShape(serializers.Serializer[Any]):
    ip_address = serializers.CharField()
    matches = MatchShape(many=True)


class Tested(serializers.Serializer[Any]):
    ip_address = IpAddressField()
    driver_id = serializers.CharField(max_length=64, help_text="A vendor of gateways.")
    username = serializers.CharField(
        max_length=255, help_text="Or key, as docs/vendors.md says."
    )
    password = serializers.CharField(max_length=255, write_only=True)
    port = serializers.IntegerField(min_value=1, max_value=65535, default=443)
    ca_certificate = serializers.CharField(max_length=20_000, default="", allow_blank=True)


class TestedShape(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    message = serializers.CharField(allow_blank=True)
    version = serializers.CharField(allow_blank=True)


class AdoptedShape(serializers.Serializer[Any]):
    device_id = serializers.UUIDField(source="pk")
    name = serializers.CharField()
    ip_address = serializers.CharField(source="management_ip")
    status = serializers.CharField(default="adopted")
