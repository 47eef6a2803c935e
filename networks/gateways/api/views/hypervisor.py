"""The hypervisor page of FreeSDN's web client: nodes and guests of a Proxmox cluster."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controller.base.errors import NotFound
from controller.dialects.openapi.shapes import OBJECTS
from networks.gateways.api.views.staging import Staging
from networks.gateways.api.views.web_client import WebView
from networks.gateways.models import Gateway
from networks.gateways.rules import web_client_reads

MEGA = 1_000_000


class NodeShape(serializers.Serializer[Any]):
    node = serializers.CharField()
    status = serializers.CharField()
    uptime = serializers.IntegerField()
    cpu_count = serializers.IntegerField()
    cpu_percent = serializers.FloatField()
    cpu_usage = serializers.FloatField()
    cpu_model = serializers.CharField()
    memory_total = serializers.IntegerField()
    memory_used = serializers.IntegerField()
    memory_percent = serializers.FloatField()
    storage_total = serializers.IntegerField()
    storage_used = serializers.IntegerField()
    storage_percent = serializers.FloatField()
    kernel_version = serializers.CharField()
    pve_version = serializers.CharField()
    subscription_level = serializers.CharField()


class GuestShape(serializers.Serializer[Any]):
    vmid = serializers.IntegerField()
    name = serializers.CharField()
    node = serializers.CharField()
    vm_type = serializers.ChoiceField(choices=["qemu", "lxc"])
    status = serializers.CharField()
    cpu_cores = serializers.IntegerField()
    cpu_percent = serializers.FloatField()
    cpu_usage = serializers.FloatField()
    memory_mb = serializers.IntegerField()
    memory_used_mb = serializers.IntegerField()
    memory_percent = serializers.FloatField()
    disk_gb = serializers.FloatField()
    disk_used_gb = serializers.FloatField()
    disk_percent = serializers.FloatField()
    net_in = serializers.IntegerField()
    net_out = serializers.IntegerField()
    uptime = serializers.IntegerField()
    tags = serializers.ListField(child=serializers.CharField())
    template = serializers.BooleanField()


class ClusterShape(serializers.Serializer[Any]):
    cluster_name = serializers.CharField()
    quorate = serializers.BooleanField()
    ha_active = serializers.BooleanField()
    total_nodes = serializers.IntegerField()
    online_nodes = serializers.IntegerField()
    total_vms = serializers.IntegerField()
    running_vms = serializers.IntegerField()
    total_containers = serializers.IntegerField()
    running_containers = serializers.IntegerField()
    total_cpu_cores = serializers.IntegerField()
    cpu_usage_percent = serializers.FloatField()
    total_memory_bytes = serializers.IntegerField()
    used_memory_bytes = serializers.IntegerField()
    memory_usage_percent = serializers.FloatField()
    total_storage_bytes = serializers.IntegerField()
    used_storage_bytes = serializers.IntegerField()
    storage_usage_percent = serializers.FloatField()


SUMS = tuple(
    name
    for name, field in ClusterShape().fields.items()
    if isinstance(field, serializers.IntegerField | serializers.FloatField)
)


class HypervisorView(Staging):
    """Base: what is read of a gateway that is a hypervisor."""

    def hypervisor(self, pk: str) -> Gateway:
        found = self.gateway(pk)
        if found.vendor != "proxmox":
            raise NotFound("This gateway is no hypervisor.")
        return found


class ClusterView(HypervisorView):
    @extend_schema(responses=ClusterShape, operation_id="hypervisor_dashboard")
    def get(self, request: Request, controller_id: str) -> Response:
        """Return the sums over the nodes and guests of a cluster."""
        gateway = self.hypervisor(controller_id)
        nodes, guests = web_client_reads.nodes_of(gateway), web_client_reads.guests_of(gateway)
        cores = sum(one["cpu_count"] for one in nodes)
        busy = sum(one["cpu_percent"] * one["cpu_count"] for one in nodes)
        found: dict[str, Any] = {
            "cluster_name": gateway.name, "quorate": True, "ha_active": False,
            "total_nodes": len(nodes), "online_nodes": len(nodes), "total_cpu_cores": cores,
            "cpu_usage_percent": round(busy / cores, 1) if cores else 0.0,
        }  # fmt: skip
        for kind, name in (("qemu", "vms"), ("lxc", "containers")):
            mine = [one for one in guests if one["vm_type"] == kind]
            found[f"total_{name}"] = len(mine)
            found[f"running_{name}"] = sum(one["is_running"] for one in mine)
        for name in ("memory", "storage"):
            whole, used = (
                sum(one[f"{name}_{of}"] for one in nodes) for of in ("total", "used")
            )
            found[f"total_{name}_bytes"], found[f"used_{name}_bytes"] = whole, used
            found[f"{name}_usage_percent"] = web_client_reads.percent(used, whole)
        return Response(ClusterShape(found).data)


class FleetView(WebView):
    @extend_schema(responses=OpenApiTypes.OBJECT, operation_id="hypervisor_fleet")
    def get(self, request: Request) -> Response:
        """Return the clusters with their status; their sums are on the page of each."""
        rows = list(self.rows(request).filter(vendor="proxmox"))
        nothing = dict.fromkeys(SUMS, 0)
        clusters = [
            {
                **nothing, "controller_id": row.pk, "controller_name": row.name,
                "cluster_name": row.name, "status": row.status or "unknown", "quorate": True,
                "error": row.trouble,
            }
            for row in rows
        ]  # fmt: skip
        online = sum(row.status == "online" for row in rows)
        return Response(
            {
                **nothing,
                "clusters": clusters,
                "total_clusters": len(rows),
                "online_clusters": online,
            }
        )


class TaskCountsView(WebView):
    @extend_schema(responses=OpenApiTypes.OBJECT, operation_id="hypervisor_task_statistics")
    def get(self, request: Request) -> Response:
        """Return no counts: tasks are on the page of each node."""
        counts = dict.fromkeys(("total", "ok", "error", "running", "warning"), 0)
        return Response({"aggregate": {**counts, "by_type": {}}, "controllers": {}})


class HypervisorReadView(HypervisorView):
    @extend_schema(responses={200: OBJECTS}, operation_id="hypervisor_read")
    def get(self, request: Request, controller_id: str, what: str) -> Response:
        """Read settings, storage or tasks of a hypervisor, found by the words of the URL."""
        gateway = self.hypervisor(controller_id)
        return Response(web_client_reads.hypervisor_rows(gateway, what))


class NodesView(HypervisorView):
    @extend_schema(responses=NodeShape(many=True), operation_id="hypervisor_nodes")
    def get(self, request: Request, controller_id: str) -> Response:
        """List the nodes of a cluster."""
        gateway = self.hypervisor(controller_id)
        unknown = {"cpu_model": "", "kernel_version": "", "subscription_level": ""}
        rows = [
            {**one, **unknown, "status": "online", "cpu_usage": one["cpu_percent"] / 100,
             "pve_version": gateway.version}
            for one in web_client_reads.nodes_of(gateway)
        ]  # fmt: skip
        return Response(NodeShape(rows, many=True).data)


class GuestsView(HypervisorView):
    @extend_schema(
        responses=GuestShape(many=True), operation_id="hypervisor_guests",
        parameters=[OpenApiParameter("type", OpenApiTypes.STR, enum=["qemu", "lxc"])],
    )  # fmt: skip
    def get(self, request: Request, controller_id: str) -> Response:
        """List virtual machines and containers."""
        kind = request.query_params.get("type", "")
        rows = [
            guest(one)
            for one in web_client_reads.guests_of(self.hypervisor(controller_id))
            if kind in {"", one["vm_type"]}
        ]
        return Response(GuestShape(rows, many=True).data)


def guest(row: dict[str, Any]) -> dict[str, Any]:
    """Return a guest as the client reads it; 0 for what Proxmox does not list."""
    use = float(str(row["cpu"]).rstrip("%") or 0)
    memory = int(row["memory"] or 0) // MEGA
    unknown = ("cpu_cores", "memory_percent", "disk_gb", "disk_used_gb", "disk_percent",
               "net_in", "net_out", "uptime", "memory_mb")  # fmt: skip
    return {
        **dict.fromkeys(unknown, 0), "vmid": int(row["id"]), "name": row["name"],
        "node": row["node"], "vm_type": row["vm_type"], "status": row["state"],
        "cpu_percent": use, "cpu_usage": use / 100, "memory_used_mb": memory, "tags": [],
        "template": False,
    }  # fmt: skip
