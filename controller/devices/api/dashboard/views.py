"""The dashboard of FreeSDN's web client: what there is of it, and zero for the rest."""

import platform
from collections import Counter
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.models import Site
from controller.accounts.rules import organizations
from controller.devices.models import Device
from controller.dialects.freesdn import HasResourcePermission, View
from controller.dialects.openapi.shapes import OBJECTS
from controller.dialects.openwisp import require_user
from networks.gateways.models import Gateway

ZERO = 0
SITE = OpenApiParameter("site_id", OpenApiTypes.UUID)


def share(online: int, total: int) -> float:
    return round(100 * online / total, 1) if total else 100.0


def word_of(health: float) -> str:
    return "healthy" if health >= 90 else "warning" if health >= 50 else "critical"  # noqa: PLR2004


class Dashboard(View):
    """Base view: the devices and sites that the user may read."""

    resource = "device"
    permission_classes = [HasResourcePermission]

    def devices(self, request: Request) -> QuerySet[Device]:
        rows: QuerySet[Device] = Device.objects.visible_to(
            require_user(request), "device:read"
        ).filter(is_deactivated=False)
        text = request.query_params.get("site_id")
        if not text:
            return rows
        try:
            return rows.filter(site=UUID(text))
        except ValueError:
            raise ValidationError(
                {"query.site_id": ["Input should be a valid UUID."]}
            ) from None

    def sites(self, request: Request) -> QuerySet[Site]:
        rows: QuerySet[Site] = Site.objects.visible_to(require_user(request), "site:read")
        return rows

    def by_site(self, request: Request) -> dict[UUID | None, Counter[str]]:
        """Return the number of devices by state, for each site and for none."""
        found: dict[UUID | None, Counter[str]] = {}
        rows = self.devices(request).order_by().values_list("site", "presence__state")
        for site, state, count in rows.annotate(Count("pk")):
            found.setdefault(site, Counter())[state or "unknown"] += count
        return found

    def fleet(self, request: Request) -> Counter[str]:
        return sum(self.by_site(request).values(), Counter())


# Parts of the dashboard that the portal has no numbers for: whole, as the client expects them.
EMPTY: dict[str, dict[str, Any]] = {
    "clients": {
        **dict.fromkeys(("total", "online", "band_2g", "band_5g", "band_6g"), ZERO),
        "avg_signal_dbm": None, "total_tx_bytes": ZERO, "total_rx_bytes": ZERO,
        "signal_distribution": {}, "top_ssids": [],
    },
    "ports": dict.fromkeys(
        ("total", "up", "down", "poe_ports", "total_poe_watts", "total_tx_bytes",
         "total_rx_bytes", "total_errors"), ZERO,
    ),
    "security": dict.fromkeys(
        ("failed_logins_window", "active_ip_blocks", "unresolved_anomalies",
         "total_security_events"), ZERO,
    ),
    "audit": {"total_events": ZERO, "by_level": {}, "by_source": {}},
    "incidents": dict.fromkeys(("open", "investigating", "resolved", "total"), ZERO),
}  # fmt: skip


class SummaryView(Dashboard):
    @extend_schema(responses=OpenApiTypes.OBJECT, parameters=[SITE])
    def get(self, request: Request) -> Response:
        """Return the numbers of devices and sites."""
        fleet = self.fleet(request)
        return Response(
            {
                "total_devices": fleet.total(), "devices_online": fleet["online"],
                "devices_offline": fleet["offline"], "devices_warning": ZERO,
                "total_sites": self.sites(request).count(), "total_clients": ZERO,
                "health_score_avg": share(fleet["online"], fleet.total()),
                "active_alerts": ZERO, "critical_alerts": ZERO, "recent_alerts": [],
                "top_issues": [], "metrics_summary": {}, "total_rx_bytes_24h": ZERO,
                "total_tx_bytes_24h": ZERO, "timestamp": timezone.now(),
            }
        )  # fmt: skip


class FleetView(Dashboard):
    @extend_schema(responses=OpenApiTypes.OBJECT, parameters=[SITE])
    def get(self, request: Request) -> Response:
        """Return the fleet by site and by kind, and the gateways."""
        fleet, places = self.fleet(request), self.by_site(request)
        gateways = Gateway.objects.visible_to(require_user(request), "gateway:read")
        return Response(
            {
                "timestamp": timezone.now(), "hours": 24,
                "health_score": share(fleet["online"], fleet.total()),
                "fleet": {
                    "total": fleet.total(), "online": fleet["online"],
                    "offline": fleet["offline"], "degraded": ZERO, "avg_cpu": ZERO,
                    "avg_memory": ZERO, "avg_temp": None, "max_cpu": None,
                    "max_memory": None, "max_temp": None,
                    "by_type": self.by_type(request), "by_manufacturer": [],
                },
                **EMPTY,
                "sites": [
                    {"id": site.pk, "name": site.name, **site_counts(places.get(site.pk))}
                    for site in self.sites(request)
                ],
                "total_sites": self.sites(request).count(),
                "controllers": [
                    {"id": row.pk, "name": row.name, "type": row.vendor, "host": row.url,
                     "sync_enabled": True, "device_count": ZERO,
                     "status": "connected" if row.status == "online" else "disconnected"}
                    for row in gateways
                ],
                "top_devices_cpu": [], "top_devices_memory": [],
            }
        )  # fmt: skip

    def by_type(self, request: Request) -> dict[str, dict[str, int]]:
        found: dict[str, Counter[str]] = {}
        rows = self.devices(request).order_by().values_list("kind", "presence__state")
        for kind, state, count in rows.annotate(Count("pk")):
            found.setdefault(kind or "other", Counter())[state or "unknown"] += count
        return {
            kind: {"total": one.total(), "online": one["online"], "offline": one["offline"]}
            for kind, one in found.items()
        }


def site_counts(states: Counter[str] | None) -> dict[str, Any]:
    found = states or Counter()
    return {
        "devices": found.total(), "online": found["online"], "offline": found["offline"],
        "health": share(found["online"], found.total()),
    }  # fmt: skip


class AlertsView(Dashboard):
    @extend_schema(responses={200: OBJECTS}, parameters=[SITE])
    def get(self, request: Request) -> Response:
        """Return an empty list: alerts are told as notifications here."""
        return Response([])


class HealthView(Dashboard):
    @extend_schema(responses=OpenApiTypes.OBJECT, parameters=[SITE])
    def get(self, request: Request) -> Response:
        """Return the share of devices that are online, in all and by site."""
        fleet, places = self.fleet(request), self.by_site(request)
        health = share(fleet["online"], fleet.total())
        shown = []
        for site in self.sites(request):
            one = places.get(site.pk, Counter())
            score = share(one["online"], one.total())
            shown.append(
                {"site_id": site.pk, "site_name": site.name, "device_count": one.total(),
                 "avg_health_score": score, "health_status": word_of(score),
                 "healthy": one["online"], "warning": ZERO, "degraded": ZERO,
                 "critical": one["offline"], "uptime_percent": None}
            )  # fmt: skip
        return Response(
            {
                "organization_id": organizations.usual_organization(require_user(request)),
                "avg_health_score": health, "health_status": word_of(health),
                "device_count": fleet.total(), "site_count": len(shown), "sites": shown,
            }
        )  # fmt: skip


class SystemView(Dashboard):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return what the portal is; nothing of the machine that runs it."""
        nothing = {"status": "ok", "version": "", "host": "", "database": ""}
        return Response(
            {
                "app_name": "Muster", "app_license": "GPL-3.0-or-later", "app_version": "1",
                "environment": "production", "architecture": "", "os_name": "",
                "os_platform": "", "os_version": "",
                "python_implementation": platform.python_implementation(),
                "python_version": "", "components": [],
                "database": nothing | {"type": "sql", "pool_size": ZERO},
                "redis": nothing | {"port": ZERO, "database": ZERO},
                "server_time": timezone.now(), "uptime_seconds": None,
            }
        )  # fmt: skip
