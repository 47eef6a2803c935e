"""Inventory for Ansible (dynamic inventory) and Prometheus (http_sd)."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from controller.devices.api.filters import DeviceFilter
from controller.devices.models import Device
from controller.dialects.openapi.shapes import OBJECTS
from controller.dialects.openwisp import HasResourcePermission, View, require_user

HIGHEST_PORT = 65535
# Device column → variable name in the other program, without its prefix.
FACTS = {
    "id": "id",
    "mac_address": "mac_address",
    "organization__slug": "organization",
    "site__slug": "site",
    "group__name": "group",
    "model": "model",
    "os": "os",
    "config__backend": "backend",
    "config__status": "config_status",
    "presence__state": "presence",
}


class Fleet(View):
    """Active devices of the caller, with the filters of the device list."""

    resource = "device"
    permission_classes = [HasResourcePermission]

    def devices(self, request: Request) -> QuerySet[Any]:
        rows = Device.objects.visible_to(require_user(request), "device:read")
        chosen = DeviceFilter(
            request.query_params, rows.filter(is_deactivated=False), request=request
        )
        if not chosen.is_valid():
            raise ValidationError(chosen.errors)
        found: QuerySet[Any] = (
            chosen.qs.order_by("name", "pk")
            .annotate(address=Coalesce("management_ip", "presence__last_ip"))
            .values("name", "address", *FACTS)
        )
        return found


def facts(row: dict[str, Any], prefix: str) -> dict[str, str]:
    return {
        f"{prefix}{name}": str(row[column])
        for column, name in FACTS.items()
        if row[column] not in {None, ""}
    }


def group_name(kind: str, value: str) -> str:
    """Return an Ansible group name: letters, digits and underscores."""
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in value.lower())
    return f"{kind}_{plain}"


class AnsibleView(Fleet):
    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        """Return the devices as an Ansible inventory: groups and _meta.hostvars."""
        groups: dict[str, list[str]] = defaultdict(list)
        hosts: dict[str, dict[str, str]] = {}
        for row in self.devices(request):
            # Two organizations may have devices of the same name.
            host = row["name"] if row["name"] not in hosts else f"{row['name']}_{row['id']}"
            hosts[host] = facts(row, "muster_")
            if row["address"]:
                hosts[host]["ansible_host"] = row["address"]
            for group in groups_of(row):
                groups[group].append(host)
        return Response(
            {
                "_meta": {"hostvars": hosts},
                "all": {"hosts": list(hosts), "children": sorted(groups)},
                **{name: {"hosts": groups[name]} for name in sorted(groups)},
            }
        )


def groups_of(row: dict[str, Any]) -> Iterator[str]:
    for column, kind in (
        ("organization__slug", "organization"),
        ("site__slug", "site"),
        ("group__name", "group"),
        ("config__backend", "backend"),
        ("presence__state", "presence"),
    ):
        if row[column]:
            # Backends are identified by their Python path.
            yield group_name(kind, str(row[column]).rpartition(".")[2])


class PrometheusView(Fleet):
    @extend_schema(
        parameters=[OpenApiParameter("port", OpenApiTypes.INT, description="Of the exporter.")],
        responses={200: OBJECTS},
    )
    def get(self, request: Request) -> Response:
        """Return devices with an address as targets for Prometheus' http_sd_configs."""
        given = request.query_params.get("port", "9100")
        if not (given.isascii() and given.isdigit() and 0 < int(given) <= HIGHEST_PORT):
            raise ValidationError({"port": ["A port between 1 and 65535 is expected."]})
        return Response(
            [
                {
                    "targets": [target(row["address"], given)],
                    "labels": {
                        "__meta_muster_name": row["name"],
                        **facts(row, "__meta_muster_"),
                    },
                }
                for row in self.devices(request)
                if row["address"]
            ]
        )


def target(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
