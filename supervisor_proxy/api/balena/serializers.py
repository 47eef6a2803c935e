"""Request and response formats of balena's proxy API."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.text import slugify
from rest_framework import serializers

from controller.base.errors import Refused
from controller.dialects.balena import sentence_of, status_of
from supervisor_proxy.engine.odata import Query, holds
from supervisor_proxy.engine.routes import MASK
from supervisor_proxy.models import Supervisor, SupervisorCall
from supervisor_proxy.rules.call_requests import CallJob
from supervisor_proxy.rules.running_services import Running, Service

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
A_DAY, A_WEEK = 86_400, 604_800
State = SupervisorCall.State
# HTTP status of a call without an answer, had the client waited for it.
STATUSES = {
    State.QUEUED: 202,
    State.RUNNING: 202,
    State.REFUSED: 409,
    State.UNREACHABLE: 503,
    State.UNKNOWN: 504,
    State.EXPIRED: 504,
    State.CANCELED: 409,
}


class AskSerializer(serializers.Serializer[Any]):
    """Target and call: ``deviceId``, ``uuid`` or ``appId``, which must all match."""

    deviceId = serializers.IntegerField(required=False, min_value=1, max_value=2**53)  # noqa: N815 - balena's names
    uuid = serializers.RegexField(r"^[0-9a-f]{7,62}$", required=False)
    appId = serializers.IntegerField(required=False, min_value=1, max_value=2**53)  # noqa: N815
    method = serializers.CharField(required=False, default="POST", max_length=8)
    data = serializers.DictField(  # type: ignore[assignment]
        required=False, allow_null=True, default=None, help_text="What the device gets as body."
    )
    queue = serializers.BooleanField(
        required=False, default=False, help_text="Keep it for a device that is away."
    )
    expires = serializers.IntegerField(
        required=False, default=A_DAY, min_value=10, max_value=A_WEEK,
        help_text="For how many seconds it is kept.",
    )  # fmt: skip

    def validate_method(self, value: str) -> str:
        method = value.upper()
        if method not in METHODS:
            raise serializers.ValidationError(f"One of {', '.join(METHODS)} is expected.")
        return method

    def validate(self, attrs: Any) -> Any:
        if not {"deviceId", "uuid", "appId"} & set(attrs):
            raise serializers.ValidationError("deviceId, uuid or appId is required.")
        return attrs


def entry(job: CallJob, *, shows_secret: bool) -> dict[str, Any]:
    """Return one device's entry in the response of a batch call."""
    refusal, answer = job.refusal, job.answer
    found: dict[str, Any] = {
        "deviceId": job.supervisor.pk,
        "uuid": job.supervisor.uuid,
        "statusCode": 202,
        "body": None,
        "error": None,
        "duration_ms": job.call.duration,
        "callId": str(job.call.pk),
    }
    if isinstance(refusal, Refused):
        message = sentence_of(refusal)
        found |= {"statusCode": status_of(refusal), "body": {"message": message},
                  "error": refusal.code}  # fmt: skip
    elif answer is not None:
        body = MASK if job.wish.route.secret and not shows_secret else answer.value
        found |= {"statusCode": answer.status, "body": body}
    else:
        found["body"] = {"message": "Its turn did not come in time; it is called afterwards."}
    return found


def operation(call: SupervisorCall) -> Mapping[str, Any]:
    """Return the status URL of a queued call."""
    return {"id": str(call.pk), "state": call.state, "expires": call.expires}


def presence(row: Supervisor) -> str:
    return str(row.device.presence.state)


def told(name: str) -> Callable[[Any], Any]:
    return lambda row: row.reported.get(name)


# Members that are neither here nor told by the device are null.
SELECTABLE: Mapping[str, Callable[[Any], Any]] = {
    "id": lambda row: row.pk,
    "uuid": lambda row: row.uuid,
    "device_name": lambda row: row.device.name,
    "note": lambda row: row.device.notes,
    "created_at": lambda row: row.created,
    "modified_at": lambda row: row.modified,
    "is_active": lambda row: not row.device.is_deactivated,
    "supervisor_version": lambda row: row.version or None,
    "is_online": lambda row: presence(row) == "online",
    "is_connected_to_vpn": lambda row: presence(row) == "online",
    "last_connectivity_event": lambda row: row.device.presence.since,
    "last_vpn_event": lambda row: row.device.presence.since,
    "api_heartbeat_state": presence,
    "overall_status": lambda row: (
        row.reported.get("status") or "idle" if presence(row) == "online" else "disconnected"
    ),
    "is_web_accessible": lambda row: False,
    **{
        name: told(name)
        for name in (
            "os_version", "os_variant", "ip_address", "mac_address", "status",
            "provisioning_state", "cpu_usage", "cpu_temp", "memory_usage", "memory_total",
            "storage_usage", "storage_total", "is_undervolted", "cpu_id", "logs_channel",
        )
    },
}  # fmt: skip


# Members of a device that its application is told with.
OF_FLEET = ("id", "uuid", "device_name", "is_online")


def application(number: int) -> dict[str, Any]:
    """Return an application as clients know it: its number, and names made from that."""
    name = f"app-{number}"
    return {"id": number, "app_name": name, "slug": f"muster/{name}", "is_archived": False,
            "is_public": False, "is_host": False, "is_of__class": "fleet",
            "is_directly_accessible_by__user": [{}],
            "is_for__device_type": [device_type(number, "")]}  # fmt: skip


def with_devices(shown: dict[str, Any], rows: Iterable[Supervisor]) -> dict[str, Any]:
    """Return an application with those of its devices that are here."""
    devices = [{name: SELECTABLE[name](row) for name in OF_FLEET} for row in rows]
    return shown | {"owns__device": devices}


def device_type(number: int, model: str) -> dict[str, Any]:
    """Return the type of a device: its model, as far as that is known."""
    return {"id": number, "slug": slugify(model) or "unknown", "name": model or "Unknown"}


def release(running: Running, app: int | None) -> list[dict[str, Any]]:
    """Return the release that a device runs, which has the number of its application here."""
    if not running.release or app is None:
        return []
    return [
        {"id": app, "commit": running.release, "belongs_to__application": [application(app)]}
    ]


def installed(service: Service, running: Running) -> dict[str, Any]:
    """Return the image of a service that runs on a device."""
    built = [{"id": service.number, "service_name": service.name}]
    return {
        "id": service.image,
        "status": service.status,
        "install_date": service.started,
        "installs__image": [{"id": service.image, "is_a_build_of__service": built}],
        "is_provided_by__release": release(running, service.app),
    }


def looked_up(row: Supervisor, query: Query, running: Running) -> dict[str, Any]:
    """Return a device with just the members that were selected and expanded."""
    members: dict[str, Any] = {name: found(row) for name, found in SELECTABLE.items()}
    members |= {
        "belongs_to__application": [] if row.app_id is None else [application(row.app_id)],
        "is_of__device_type": [device_type(row.pk, row.device.model)],
        "is_running__release": release(running, row.app_id),
        "image_install": [installed(one, running) for one in running.services],
    }
    return chosen_of(members, query)


def chosen_of(members: Mapping[str, Any], query: Query) -> dict[str, Any]:
    """Return what was selected, ``null`` where it is unknown, and the lists that were expanded.

    A row that is named and not expanded is its number.
    """
    plain = [name for name, value in members.items() if not isinstance(value, list)]
    whole = [*plain, *(name for name in members if name == "belongs_to__application")]
    shown = {name: _plain(members.get(name)) for name in query.select or whole}
    for name, inner in query.expand.items():
        rows = members.get(name)
        found = rows if isinstance(rows, list) else ()
        shown[name] = [chosen_of(one, inner) for one in found if holds(inner.where, one)]
    return shown


def _plain(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return {"__id": value[0].get("id")} if value else None
