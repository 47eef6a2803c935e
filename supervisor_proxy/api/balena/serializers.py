"""Request and response formats of balena's proxy API."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from django.utils.text import slugify
from rest_framework import serializers

from controller.base.errors import Refused
from controller.dialects.balena import sentence_of, status_of
from controller.dialects.fields import JSONObjectField
from supervisor_proxy.engine.odata import Query
from supervisor_proxy.engine.odata_rows import found_in, shown_of
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
    data = JSONObjectField(  # type: ignore[assignment]
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
    **dict.fromkeys(
        (
            "actor", "belongs_to__user", "custom_latitude", "custom_longitude",
            "download_progress", "is_accessible_by_support_until__date", "is_frozen",
            "is_locked_until__date", "is_managed_by__device", "is_pinned_on__release",
            "last_update_status_event", "latitude", "location", "longitude", "public_address",
            "should_be_managed_by__release", "should_be_operated_by__release",
            "should_be_running__release", "update_status",
        ),
        lambda row: None,
    ),
    **{
        name: told(name)
        for name in (
            "os_version", "os_variant", "ip_address", "mac_address", "status",
            "provisioning_state", "cpu_usage", "cpu_temp", "memory_usage", "memory_total",
            "storage_usage", "storage_total", "is_undervolted", "cpu_id", "logs_channel",
        )
    },
}  # fmt: skip


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


# What of a device is a list of other rows.
RELATED: Mapping[str, Callable[[Supervisor, Running], list[dict[str, Any]]]] = {
    "belongs_to__application": lambda row, running: (
        [] if row.app_id is None else [application(row.app_id)]
    ),
    "is_of__device_type": lambda row, running: [device_type(row.pk, row.device.model)],
    "is_running__release": lambda row, running: release(running, row.app_id),
    "image_install": lambda row, running: [installed(one, running) for one in running.services],
}
DEVICE_MEMBERS = SELECTABLE.keys() | RELATED.keys()


class DeviceRow(Mapping[str, Any]):
    """A device as clients know it; its members are worked out when a query names them."""

    def __init__(self, row: Supervisor, running: Running) -> None:
        self.row, self.running = row, running

    def __getitem__(self, name: str) -> Any:
        if name in SELECTABLE:
            return SELECTABLE[name](self.row)
        return RELATED[name](self.row, self.running)

    def __iter__(self) -> Iterator[str]:
        yield from SELECTABLE
        yield from RELATED

    def __len__(self) -> int:
        return len(DEVICE_MEMBERS)


UNKNOWN_OF_APPLICATION: Mapping[str, None] = dict.fromkeys(
    (
        "uuid", "actor", "application_type", "created_at", "depends_on__application",
        "is_accessible_by_support_until__date", "is_stored_at__repository_url", "organization",
        "should_be_running__release", "should_track_latest_release",
    )
)  # fmt: skip


def application(number: int) -> dict[str, Any]:
    """Return an application as clients know it: its number, and names made from that."""
    name = f"app-{number}"
    return {"id": number, "app_name": name, "slug": f"muster/{name}", **UNKNOWN_OF_APPLICATION,
            "is_archived": False,
            "is_public": False, "is_host": False, "is_of__class": "fleet",
            "is_directly_accessible_by__user": [{}],
            "is_for__device_type": [device_type(number, "")]}  # fmt: skip


APPLICATION_MEMBERS = application(0).keys() | {"owns__device"}


def answer_of(rows: Iterable[Mapping[str, Any]], query: Query) -> dict[str, Any]:
    """Return what a client gets: the rows that it asked for, and their number if it did."""
    found = found_in(rows, query)
    shown = {"d": shown_of(found, query)}
    return {"@odata.count": len(found), **shown} if query.counted else shown
