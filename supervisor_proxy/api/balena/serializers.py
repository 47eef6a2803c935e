"""Request and response formats of balena's proxy API."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rest_framework import serializers

from controller.base.errors import Refused
from controller.dialects.balena import sentence_of, status_of
from supervisor_proxy.engine.routes import MASK
from supervisor_proxy.models import Supervisor, SupervisorCall
from supervisor_proxy.rules.call_requests import CallJob

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


SELECTABLE: Mapping[str, Callable[[Any], Any]] = {
    "id": lambda row: row.pk,
    "uuid": lambda row: row.uuid,
    "device_name": lambda row: row.device.name,
    "supervisor_version": lambda row: row.version or None,
    "os_version": lambda row: row.reported.get("os_version"),
    "is_online": lambda row: presence(row) == "online",
    "is_connected_to_vpn": lambda row: presence(row) == "online",
    "last_connectivity_event": lambda row: row.device.presence.since,
    "api_heartbeat_state": presence,
    "ip_address": lambda row: row.reported.get("ip_address"),
    "status": lambda row: row.reported.get("status"),
}


def looked_up(row: Supervisor, query: Mapping[str, str]) -> dict[str, Any]:
    """Return a device as an OData object with the selected and expanded members."""
    chosen = set(re.split(r"\s*,\s*", query.get("$select", "").strip())) & set(SELECTABLE)
    wanted: Iterable[str] = chosen or SELECTABLE
    shown = {name: SELECTABLE[name](row) for name in sorted(wanted)}
    if "belongs_to__application" in query.get("$expand", "") or not chosen:
        shown["belongs_to__application"] = [] if row.app_id is None else [{"id": row.app_id}]
    return shown
