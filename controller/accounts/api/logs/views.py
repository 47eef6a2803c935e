"""System logs of FreeSDN's web client: the audit in its words."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate, TruncHour
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.api.freesdn.filters import AuditFilter
from controller.accounts.api.freesdn.views import AuditViewSet, SecurityEventViewSet
from controller.accounts.models import AuditEntry
from controller.dialects.freesdn import HasResourcePermission, View, number
from controller.dialects.openwisp import require_user

Outcome = AuditEntry.Outcome
LEVELS = {Outcome.DONE: "info", Outcome.REFUSED: "warning", Outcome.FAILED: "error"}
HOURS, MOST_HOURS, DAYS = 24, 24 * 31, 7
HUNDRED = 100.0
# What the portal does not count.
UNCOUNTED: Mapping[str, Any] = {
    "active_ip_blocks": 0, "avg_response_ms": None, "p95_response_ms": None,
    "critical_count_24h": 0, "open_incidents": 0, "unresolved_anomalies": 0,
    "needs_attention": [],
}  # fmt: skip


class LogFilter(AuditFilter):
    level = filters.CharFilter(method="by_level", help_text="info, warning or error")
    source = filters.CharFilter("object_type", "startswith")

    def by_level(self, rows: QuerySet[AuditEntry], _: str, level: str) -> QuerySet[AuditEntry]:
        return rows.filter(outcome__in=[one for one, name in LEVELS.items() if name == level])


class LogShape(serializers.ModelSerializer[AuditEntry]):
    """Audit entry as a line of a log."""

    id = serializers.CharField(read_only=True)
    timestamp = serializers.DateTimeField(source="at", read_only=True)
    level = serializers.SerializerMethodField()
    source = serializers.SerializerMethodField()  # type: ignore[assignment]
    message = serializers.SerializerMethodField()
    user_id = serializers.UUIDField(source="actor_id", read_only=True, allow_null=True)
    user_email = serializers.CharField(source="actor", read_only=True)
    ip_address = serializers.CharField(source="address", read_only=True)

    class Meta:
        model = AuditEntry
        fields = [
            "id", "timestamp", "level", "source", "message", "user_id", "user_email",
            "ip_address", "request_id",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field({"type": "string", "description": "info, warning or error"})
    def get_level(self, row: AuditEntry) -> str:
        return LEVELS[Outcome(row.outcome)]

    def get_source(self, row: AuditEntry) -> str:
        return row.object_type.partition(".")[0] or "portal"

    def get_message(self, row: AuditEntry) -> str:
        told = " ".join(one for one in (row.action, row.object_name) if one)
        return f"{told}: {row.detail}" if row.detail else told


class LogViewSet(AuditViewSet):
    """The audit as a log, newest lines first."""

    serializer_class = LogShape  # type: ignore[assignment]
    filterset_class = LogFilter
    http_method_names = ["get", "head", "options"]


class AlertedEventViewSet(SecurityEventViewSet):
    """Security events that the client counts in its badge."""


class LogCounts(View):
    """Base of what is counted in the audit of the caller's organizations."""

    permission_classes = [HasResourcePermission]
    resource = "audit"

    def rows(self, request: Request, since: datetime) -> QuerySet[AuditEntry]:
        rows: QuerySet[AuditEntry] = AuditEntry.objects.visible_to(
            require_user(request), "audit:read"
        )
        return rows.filter(at__gte=since).order_by()


class LogHealthView(LogCounts):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Count the entries of a day and of a week, by level and by day."""
        now = timezone.now()
        day, before = now - timedelta(days=1), now - timedelta(days=2)
        rows = self.rows(request, now - timedelta(days=DAYS))
        last, trouble = Q(at__gte=day), ~Q(outcome=Outcome.DONE)
        earlier = Q(at__gte=before, at__lt=day)
        told: dict[str, int] = rows.aggregate(
            total_events_7d=Count("pk"),
            total_events_24h=Count("pk", last),
            warning_count_24h=Count("pk", last & Q(outcome=Outcome.REFUSED)),
            error_count_24h=Count("pk", last & Q(outcome=Outcome.FAILED)),
            failed_logins_24h=Count("pk", last & trouble & Q(action="sign_in")),
            events_before=Count("pk", earlier),
            errors_before=Count("pk", earlier & Q(outcome=Outcome.FAILED)),
        )
        events, errors = told.pop("events_before"), told.pop("errors_before")
        total, failed = told["total_events_24h"], told["error_count_24h"]
        days = rows.annotate(day=TruncDate("at")).values("day").annotate(count=Count("pk"))
        return Response(
            {
                **UNCOUNTED, **told, "event_trend": trend(total, events),
                "error_trend": trend(failed, errors),
                "success_rate": HUNDRED - share(failed + told["warning_count_24h"], total),
                "daily_histogram": [
                    {"date": one["day"], "count": one["count"]} for one in days.order_by("day")
                ],
            }
        )  # fmt: skip


class LogStatsView(LogCounts):
    @extend_schema(
        responses=OpenApiTypes.OBJECT, parameters=[OpenApiParameter("hours", OpenApiTypes.INT)]
    )
    def get(self, request: Request) -> Response:
        """Count the entries of some hours by level, by source and by hour."""
        hours = number(request, "hours", HOURS, MOST_HOURS)
        rows = self.rows(request, timezone.now() - timedelta(hours=hours))
        counts = rows.values("outcome", "object_type").annotate(count=Count("pk"))
        levels: Counter[str] = Counter()
        sources: Counter[str] = Counter()
        for one in counts:
            levels[LEVELS[Outcome(one["outcome"])]] += one["count"]
            sources[one["object_type"].partition(".")[0] or "portal"] += one["count"]
        by_hour = rows.annotate(hour=TruncHour("at")).values("hour")
        by_hour = by_hour.annotate(
            count=Count("pk"), errors=Count("pk", Q(outcome=Outcome.FAILED))
        )
        return Response(
            {
                "total": levels.total(), "by_level": levels, "by_source": sources,
                "error_rate": share(levels["error"], levels.total()), "avg_duration_ms": None,
                "by_hour": list(by_hour.order_by("hour")),
            }
        )  # fmt: skip


def share(part: int, whole: int) -> float:
    """Return a part in percent."""
    return round(HUNDRED * part / whole, 1) if whole else 0.0


def trend(now: int, before: int) -> float:
    """Return by how many percent there is more than before."""
    return round(HUNDRED * (now - before) / before, 1) if before else 0.0
