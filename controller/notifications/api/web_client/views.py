"""The bell of FreeSDN's web client: the user's notifications, in its words."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from controller.dialects.freesdn import View, number
from controller.dialects.openwisp import require_user
from controller.notifications.models import Notification
from controller.notifications.rules import recipients
from controller.notifications.rules.links import link_to

MOST = 100
SEVERITIES = {"error": "critical", "warning": "warning"}


def as_item(row: Notification) -> dict[str, Any]:
    notice = row.notice
    return {
        "id": row.pk, "title": notice.label, "body": notice.text, "category": notice.family,
        "severity": SEVERITIES.get(notice.level, "info"), "read": not row.unread,
        "dismissed": False, "created_at": row.created, "action_url": link_to(notice),
    }  # fmt: skip


class BellView(View):
    permission_classes = [IsAuthenticated]

    def rows(self, request: Request) -> QuerySet[Notification]:
        found: QuerySet[Notification] = Notification.objects.visible_to(require_user(request))
        return found

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return the newest notifications."""
        limit = number(request, "limit", 20, MOST)
        offset = number(request, "offset", 0, 1_000_000, least=0)
        rows = self.rows(request)
        unread = rows.filter(unread=True)
        chosen = unread if request.query_params.get("unread_only") == "true" else rows
        found = chosen.select_related("notice__organization")[offset : offset + limit]
        return Response(
            {
                "items": [as_item(row) for row in found],
                "total": chosen.count(),
                "unread_count": unread.count(),
                "limit": limit,
                "offset": offset,
            }
        )


class UnreadCountView(BellView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return the number of unread notifications."""
        return Response({"total": self.rows(request).filter(unread=True).count()})


class Marked(serializers.Serializer[Any]):
    ids = serializers.ListField(child=serializers.UUIDField(), max_length=MOST)
    action = serializers.ChoiceField(["read", "dismiss"])


class MarkView(BellView):
    http_method_names = ["post", "options"]

    @extend_schema(request=Marked, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        """Mark notifications as read, or delete them."""
        given = Marked(data=request.data)
        given.is_valid(raise_exception=True)
        rows = list(self.rows(request).filter(pk__in=given.validated_data["ids"]))
        for row in rows:
            if given.validated_data["action"] == "read":
                recipients.set_unread(row, unread=False)
            else:
                recipients.delete(row)
        return Response({"marked": len(rows)})


class MarkAllView(BellView):
    http_method_names = ["post", "options"]

    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        """Mark all notifications as read."""
        unread = self.rows(request).filter(unread=True)
        marked = unread.count()
        recipients.mark_all_read(unread)
        return Response({"marked": marked})


ALERTS = (
    "acknowledged_alerts", "active_rules", "alerts_last_24h", "critical_firing",
    "disabled_rules", "total_rules",
)  # fmt: skip
INCIDENTS = (
    "active_rules", "events_correlated_last_24h", "incidents_last_24h", "open_incidents",
    "total_rules",
)  # fmt: skip


class AlertCountsView(BellView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return no alerts: they are told as notifications here."""
        counts = dict.fromkeys(("firing_alerts", "total_alerts", *ALERTS), 0)
        return Response(counts)


class IncidentCountsView(BellView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return no incidents: they are told as notifications here."""
        return Response({**dict.fromkeys(INCIDENTS, 0), "top_firing_rules": []})
