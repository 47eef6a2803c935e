"""Calls of balena supervisors, from version 1.x of 2015 to today's.

Versions are taken from the supervisors' changelogs; calls without one have always existed.
"""

from typing import Any

from controller.base.errors import NotFound, Refused
from supervisor_proxy.engine.routes import CallRequest, Route

APP = {"type": "integer", "minimum": 1}
FORCE = {"type": "boolean"}
NAME = {"type": "string", "pattern": r"^[A-Za-z0-9_.@-]{1,128}$"}
TIME = {"type": "string", "pattern": r"^[0-9A-Za-z :.+-]{1,64}$"}
MOST_LINES = 5000
READ_SECONDS = 15.0
CHANGE_SECONDS = 45.0


def _body(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


OF_APP = _body(appId=APP, force=FORCE)
OF_SERVICE = {
    **_body(
        appId=APP, force=FORCE, serviceName=NAME, imageId={"type": "integer", "minimum": 1}
    ),
    "anyOf": [{"required": ["serviceName"]}, {"required": ["imageId"]}],
}
HOST_CONFIG = _body(
    network=_body(
        hostname={"type": "string", "pattern": r"^(?!-)[A-Za-z0-9-]{1,63}(?<!-)$"},
        proxy={
            "type": "object",
            "maxProperties": 12,
            "properties": {
                "noProxy": {"type": "array", "maxItems": 64, "items": {"type": "string"}},
            },
            "additionalProperties": {"type": ["string", "integer", "object"]},
        },
    ),
    force=FORCE,
)
JOURNAL = _body(
    count={"type": "integer", "minimum": 1, "maximum": MOST_LINES},
    unit=NAME,
    containerId=NAME,
    since=TIME,
    until=TIME,
    format={"enum": ["short", "short-iso", "short-precise", "json", "cat"]},
    all={"type": "boolean"},
    # A followed journal would never end.
    follow={"const": False},
)


def _reads(name: str, pattern: str, **more: Any) -> Route:
    values: dict[str, Any] = {"permission": "read", "seconds": READ_SECONDS, "changes": False}
    return Route(name, "GET", pattern, **values | more)


def _acts(name: str, pattern: str, **more: Any) -> Route:
    values: dict[str, Any] = {
        "method": "POST", "permission": "act", "seconds": CHANGE_SECONDS,
    }  # fmt: skip
    return Route(name=name, pattern=pattern, **values | more)


TABLE: tuple[Route, ...] = (
    # --- first version of the API
    _reads("ping", "/ping"),
    _acts("blink", "/v1/blink", seconds=READ_SECONDS),
    _acts("update", "/v1/update", body=_body(force=FORCE, cancel=FORCE), waits=True),
    _acts(
        "spawn-tty", "/v1/spawn-tty", body=_body(appId=APP), permission="terminal",
        until=(1, 8, 0), secret=True,
    ),
    _acts(
        "despawn-tty", "/v1/despawn-tty", body=_body(appId=APP), permission="terminal",
        until=(1, 8, 0),
    ),
    _acts(
        "reboot", "/v1/reboot", body=_body(force=FORCE), permission="power", waits=True,
        leaves=True,
    ),
    _acts(
        "shutdown", "/v1/shutdown", body=_body(force=FORCE), permission="power",
        dangerous=True, leaves=True,
    ),
    _acts("purge", "/v1/purge", body=OF_APP, permission="purge", dangerous=True),
    _acts("restart", "/v1/restart", body=OF_APP, waits=True),
    _acts("tcp-ping", "/v1/tcp-ping", until=(7, 0, 0), waits=True),
    _acts("no-tcp-ping", "/v1/tcp-ping", method="DELETE", until=(7, 0, 0), waits=True),
    _acts(
        "regenerate-api-key", "/v1/regenerate-api-key", permission="rotate", dangerous=True,
        secret=True,
    ),
    # --- later versions
    _reads("device", "/v1/device", since=(1, 6, 0)),
    _reads("healthy", "/v1/healthy", since=(6, 5, 0)),
    # Contains the environment of the containers.
    _reads("app", "/v1/apps/{app}", permission="act", since=(1, 8, 0)),
    _acts("app-start", "/v1/apps/{app}/start", body=_body(appId=APP, force=FORCE),
          since=(1, 8, 0)),
    _acts("app-stop", "/v1/apps/{app}/stop", body=_body(appId=APP, force=FORCE),
          since=(1, 8, 0)),
    _reads("host-config", "/v1/device/host-config", since=(6, 6, 0)),
    _acts("set-host-config", "/v1/device/host-config", method="PATCH", body=HOST_CONFIG,
          permission="update", since=(6, 6, 0), waits=True),
    _reads("state", "/v2/state/status", since=(7, 0, 0)),
    _reads("apps-state", "/v2/applications/state", since=(7, 0, 0)),
    _reads("app-state", "/v2/applications/{app}/state", since=(7, 0, 0)),
    _reads("version", "/v2/version", since=(7, 0, 0)),
    _reads("container-id", "/v2/containerId", query=("service",), since=(7, 0, 0)),
    _reads("name", "/v2/device/name", since=(7, 0, 0)),
    _reads("vpn", "/v2/device/vpn", since=(7, 0, 0)),
    _acts("app-restart", "/v2/applications/{app}/restart", body=OF_APP, since=(7, 0, 0),
          waits=True),
    _acts("app-purge", "/v2/applications/{app}/purge", body=OF_APP, permission="purge",
          since=(7, 0, 0), dangerous=True),
    *(
        _acts(f"service-{verb}", f"/v2/applications/{{app}}/{verb}-service",
              body=OF_SERVICE, since=(7, 0, 0))
        for verb in ("start", "stop", "restart")
    ),
    _acts("journal", "/v2/journal-logs", body=JOURNAL, changes=False, since=(10, 2, 0)),
    # A GET request, but it deletes volumes.
    _acts("cleanup-volumes", "/v2/cleanup-volumes", method="GET", permission="purge",
          since=(7, 0, 0), dangerous=True),
)  # fmt: skip

BY_NAME = {row.name: row for row in TABLE}

NEEDS_APPLICATION = {"restart", "purge", "spawn-tty", "despawn-tty"}


def with_application(wanted: CallRequest, known: int | None) -> dict[str, Any]:
    """Return the body with the device's application filled in; reject another one."""
    data, named = dict(wanted.data), wanted.app
    if named is not None and known is not None and named != known:
        raise NotFound(
            f"This device does not run application {named}.", code="other_application"
        )
    if wanted.route.takes_app and named is None and wanted.route.name in NEEDS_APPLICATION:
        if known is None:
            raise Refused({"data": ["appId: the number of the application is required."]})
        data["appId"] = known
    return data
