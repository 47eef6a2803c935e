"""Calls of Home Assistant supervisors, from Hass.io of January 2020 to today's.

Not proxied: authentication and passwords of users, credentials of services, protection of
add-ons, registries, discovery secrets, ingress and Core's own API.
"""

import re
from collections.abc import Iterator
from typing import Any

from controller.base.masking import looks_secret
from supervisor_proxy.engine.answers import (
    LOWEST_ERROR,
    TEXT,
    Answer,
    Reply,
    in_error_envelope,
    read,
)
from supervisor_proxy.engine.routes import MASK, Route
from supervisor_proxy.engine.versions import Version, older

ANY: dict[str, Any] = {"type": "object", "maxProperties": 64}
READ, START, CONTAINER, IMAGE, BACKUP = 10.0, 45.0, 600.0, 3600.0, 10_800.0
# Longer calls are made by a worker, and the caller polls the job.
LONG = 60.0
PNG = b"\x89PNG\r\n\x1a\n"
ANSI = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
NOT_READY = b"System is not ready"
# The add-on that connects a device calls itself by this, behind the hash of its repository.
OWN_SLUG = "muster"
ENDS_ADDON = re.compile(r"/addons/(?P<slug>[^/]+)/(?:stop|restart|uninstall)")

# Permission, timeout in seconds, and calls: "!" is dangerous, "=" the kind of answer if it is
# not a JSON envelope, "@" the first version, "-" the first version without it.
ROWS = f"""
read {READ}: GET supervisor/ping, supervisor/info, supervisor/stats, snapshots, backups
read {READ}: GET snapshots/{{slug}}/info, backups/{{slug}}/info, backups/info@2022.9
read {READ}: GET host/info, host/services, hassos/info, os/info, cli/info@210, cli/stats@210
read {READ}: GET hardware/info, hardware/audio, homeassistant/info, core/info
read {READ}: GET homeassistant/stats, core/stats, addons, addons/{{addon}}/info, addons/{{addon}}/stats
read {READ}: GET ingress/panels, services, info, dns/info, dns/stats, available_updates@2022.1
read {READ}: GET store@2021.2.12, store/addons@2021.2.12, store/addons/{{addon}}@2021.2.12
read {READ}: GET store/addons/{{addon}}/availability@2025.9, store/repositories@2021.2.12
read {READ}: GET jobs/info@2020.11, jobs/{{job}}@2024.1, resolution/info@248, mounts@2023.5
read {READ}: GET network/info@236, network/interface/{{name}}/info@236, audio/info@202, audio/stats@202
read {READ}: GET multicast/info@215, multicast/stats@215, observer/info@243, observer/stats@243
read {READ}: GET host/disks/{{disk}}/usage@2025.8, host/logs/boots@2022.10, host/logs/identifiers@2022.10
read {READ}: GET os/config/swap@2025.3, os/datadisk/list@2021.9
read {READ}: GET addons/{{addon}}/icon=image, addons/{{addon}}/logo=image, addons/{{addon}}/changelog=text
read {READ}: GET addons/{{addon}}/documentation=text, store/addons/{{addon}}/icon=image
read {READ}: GET store/addons/{{addon}}/logo=image, store/addons/{{addon}}/changelog=text
read {READ}: GET store/addons/{{addon}}/documentation=text
logs {READ}: GET supervisor/logs=text, homeassistant/logs=text, core/logs=text, dns/logs=text
logs {READ}: GET addons/{{addon}}/logs=text, host/logs@212=text, audio/logs@202=text
logs {READ}: GET multicast/logs@215=text, host/logs/identifiers/{{name}}@2022.10=text
logs {READ}: GET supervisor/logs/latest@2025.9=text, core/logs/latest@2025.9=text
logs {READ}: GET homeassistant/logs/latest@2025.9=text, dns/logs/latest@2025.9=text
logs {READ}: GET audio/logs/latest@2025.9=text, multicast/logs/latest@2025.9=text
logs {READ}: GET addons/{{addon}}/logs/latest@2025.9=text, host/logs/boots/{{boot}}@2022.10=text
logs {READ}: GET supervisor/logs/boots/{{boot}}@2024.4=text, core/logs/boots/{{boot}}@2024.4=text
logs {READ}: GET homeassistant/logs/boots/{{boot}}@2024.4=text, dns/logs/boots/{{boot}}@2024.4=text
logs {READ}: GET audio/logs/boots/{{boot}}@2024.4=text, multicast/logs/boots/{{boot}}@2024.4=text
logs {READ}: GET addons/{{addon}}/logs/boots/{{boot}}@2024.4=text
logs {READ}: GET host/logs/boots/{{boot}}/identifiers/{{name}}@2022.10=text
read {READ}: GET network/interface/{{name}}/accesspoints@2020.12, os/boards/{{board}}@2022.11
read {READ}: GET os/boards/{{board}}/firmware@2026.7, store/repositories/{{slug}}@2021.2.12
read {READ}: GET docker/info@2021.1, security/info@2021.9, supervisor/available_updates@2022.1
read {READ}: GET resolution/issue/{{uuid}}/suggestions@2022.9
act {START}: POST supervisor/restart@2020.11, jobs/reset@2021.6, store/repositories/{{slug}}/repair@2024.11
act {START}: POST resolution/check/{{name}}/run@2021.6, audio/reload@202
act {START}: DELETE jobs/{{job}}@2024.1
backup {START}: POST backups/freeze@2022.11, backups/thaw@2022.11
manage {START}: POST os/boards/{{board}}@2022.11, os/config/swap@2025.3, jobs/options@2021.6
manage {START}: POST resolution/check/{{name}}/options@2021.6, os/boot-slot!@2024.9
manage {START}: POST audio/volume/{{kind}}@202, audio/volume/{{kind}}/application@202
manage {START}: POST audio/mute/{{kind}}@202, audio/mute/{{kind}}/application@202
manage {START}: POST audio/default/{{kind}}@202, audio/profile@202
act {IMAGE}: POST store/addons/{{addon}}/update/{{version}}@2021.2.12
manage {IMAGE}: POST store/addons/{{addon}}/install/{{version}}@2021.2.12
act {START}: POST supervisor/reload, snapshots/reload, backups/reload, host/reload, hardware/trigger-2021.6.1
act {START}: POST homeassistant/check, core/check, homeassistant/restart, core/restart
act {START}: POST homeassistant/start, core/start, addons/reload, store/reload@2021.2.12
act {START}: POST addons/{{addon}}/start, addons/{{addon}}/stop, addons/{{addon}}/restart, dns/restart
act {START}: POST reload_updates@2025.4, refresh_updates@2022.1, resolution/healthcheck@2021.2, network/reload@2020.12
act {START}: POST resolution/suggestion/{{uuid}}@248, mounts/{{name}}/reload@2023.5
act {START}: DELETE resolution/suggestion/{{uuid}}@248, resolution/issue/{{uuid}}@248
act {START}: POST audio/restart@202, multicast/restart@215
act {IMAGE}: POST supervisor/update, supervisor/repair, hassos/update/cli, cli/update@210
act {IMAGE}: POST homeassistant/update, core/update, homeassistant/rebuild, core/rebuild
act {IMAGE}: POST addons/{{addon}}/update, store/addons/{{addon}}/update@2021.2.12, addons/{{addon}}/rebuild
act {IMAGE}: POST dns/update, audio/update@202, multicast/update@215, observer/update@243
power {START}: POST host/reboot!
backup {BACKUP}: POST snapshots/new/full, backups/new/full, snapshots/new/partial, backups/new/partial
manage {START}: POST supervisor/options, host/shutdown!, host/options, homeassistant/stop!, core/stop!
manage {START}: POST host/services/{{service}}/stop-2022.10.1, host/services/{{service}}/start-2022.10.1
manage {START}: POST host/services/{{service}}/reload-2022.10.1, host/services/{{service}}/restart-2022.10.1
manage {START}: POST hassos/config/sync, os/config/sync, homeassistant/options, core/options
manage {START}: POST addons/{{addon}}/options, addons/{{addon}}/stdin, dns/options, dns/reset
manage {START}: POST snapshots/{{slug}}/remove!, backups/{{slug}}/remove!, backups/options@2022.9
manage {START}: DELETE backups/{{slug}}!, snapshots/{{slug}}!
manage {START}: POST network/interface/{{name}}/update!@236, mounts@2023.5, mounts/options@2023.5
manage {START}: POST network/interface/{{name}}/vlan/{{vlan}}!@2020.11
manage {START}: POST addons/{{addon}}/options/validate@239, store/repositories@2022.6
manage {START}: PUT mounts/{{name}}@2023.5
manage {START}: DELETE mounts/{{name}}!@2023.5, store/repositories/{{slug}}!@2022.6
manage {CONTAINER}: POST addons/{{addon}}/uninstall!
manage {IMAGE}: POST hassos/update!, os/update!, addons/{{addon}}/install, store/addons/{{addon}}/install@2021.2.12
manage {BACKUP}: POST snapshots/{{slug}}/restore/full!, backups/{{slug}}/restore/full!
manage {BACKUP}: POST snapshots/{{slug}}/restore/partial!, backups/{{slug}}/restore/partial!
"""
ROW = re.compile(
    r"(?P<path>[a-z_/{}-]+?)(?P<danger>!?)(?:@(?P<since>[\d.]+))?(?:-(?P<until>[\d.]+))?"
    r"(?:=(?P<kind>\w+))?"
)
OF_LOGS = ("lines", "format", "no_colors", "verbose")
PARAMETERS = (*OF_LOGS, "max_depth", "background")
LEAVING = ("host/reboot", "host/shutdown", "supervisor/update", "hassos/update", "os/update")


def _table() -> Iterator[Route]:
    for line in filter(None, ROWS.splitlines()):
        head, _, rest = line.partition(": ")
        permission, seconds = head.split()
        method, _, calls = rest.partition(" ")
        for call in calls.split(","):
            yield _route(permission, float(seconds), method, call.strip())


def _route(permission: str, seconds: float, method: str, call: str) -> Route:
    found = ROW.fullmatch(call)
    if found is None:
        raise ValueError(call)
    path = f"/{found['path']}"
    return Route(
        f"{method} {path}",
        method,
        path,
        permission,
        body=None if method == "GET" else ANY,
        query=PARAMETERS if method == "GET" else (),
        since=_version(found["since"]),
        until=_version(found["until"]),
        seconds=seconds,
        changes=method != "GET",
        dangerous=bool(found["danger"]),
        kind=found["kind"] or "json",
        leaves=found["path"] in LEAVING,
        raw=path.endswith("/stdin"),
    )


def _version(text: str | None) -> Version | None:
    return tuple(int(part) for part in text.split(".")) if text else None


TABLE: tuple[Route, ...] = tuple(_table())

# Backups are streamed, separately from the calls above.
UPLOAD = Route(
    "upload",
    "POST",
    "/backups/new/upload",
    "backup",
    body=ANY,
    seconds=BACKUP,
    query=("location",),
)
DOWNLOAD = Route(
    "download", "GET", "/backups/{slug}/download", "download", changes=False, seconds=BACKUP,
    query=("location",),
)  # fmt: skip
# Followed logs, which continue until the client disconnects.
FOLLOWED = tuple(
    Route(
        f"GET /{one}{log}/follow", "GET", f"/{one}{log}/follow", "logs", changes=False,
        since=since, seconds=READ, kind="follow", query=OF_LOGS,
    )
    for log in ("/logs", "/logs/boots/{boot}")
    for one, since in (
        ("supervisor", (2024, 4)), ("core", (2024, 4)), ("homeassistant", (2024, 4)),
        ("dns", (2024, 4)), ("audio", (2024, 4)), ("multicast", (2024, 4)),
        ("addons/{addon}", (2024, 4)), ("host", (2022, 10)),
    )
)  # fmt: skip
FOLLOWED_BY_NAME = tuple(
    Route(
        f"GET /host/logs/{part}/follow", "GET", f"/host/logs/{part}/follow", "logs",
        changes=False, since=(2022, 10), seconds=READ, kind="follow", query=OF_LOGS,
    )
    for part in ("identifiers/{name}", "boots/{boot}/identifiers/{name}")
)  # fmt: skip
STREAMS = (UPLOAD, DOWNLOAD, *FOLLOWED, *FOLLOWED_BY_NAME)
# Part of a log: entries=cursor:skip:count or realtime=from:to:count.
ENTRIES = re.compile(r"(?:entries|realtime)=[\w=;:@+.-]{0,300}")
FORM_SINCE: Version = (2020, 10)
RANGE = re.compile(r"bytes=\d{0,18}-\d{0,18}")


def takes_forms(version: str) -> bool:
    """Return whether uploads are forms; earlier versions take the body itself."""
    return not older(version, FORM_SINCE, unknown=False)


# --- old and new paths of the same call, and the version that introduced the new one
RENAMED: tuple[tuple[str, str, Version], ...] = (
    (r"/homeassistant(?=/)", "/core", (198,)),
    (r"/hassos/update/cli", "/cli/update", (210,)),
    (r"/hassos(?=/)", "/os", (198,)),
    (r"/snapshots(?=/|$)", "/backups", (2021, 8)),
    (r"/addons/reload", "/store/reload", (2021, 2, 12)),
    # The role that the add-on has does not allow the former.
    (r"/reload_updates", "/refresh_updates", (2022, 1)),
    *(
        (rf"/addons/(?=[^/]+/{verb}$)", "/store/addons/", (2022, 6))
        for verb in ("icon", "logo", "changelog", "documentation", "install", "update")
    ),
)
# The documentation of 2020 writes what supervisors call host/services.
DOCUMENTED = re.compile(r"/*host/service/")
REMOVE = re.compile(r"/(?:snapshots|backups)/([^/]+)/remove")
ONE_BACKUP = re.compile(r"/(?:snapshots|backups)/([^/]+)")
BACKUPS_SINCE: Version = (2021, 8)


def as_served(path: str) -> str:
    """Return a path as supervisors have it, where their documentation writes another."""
    return DOCUMENTED.sub("host/services/", path, count=1) if DOCUMENTED.match(path) else path


def on_device(method: str, path: str, version: str) -> tuple[str, str]:
    """Return method and path in the form that this version of the supervisor knows."""
    is_old = older(version, BACKUPS_SINCE, unknown=False)
    if method == "POST" and not is_old and (found := REMOVE.fullmatch(path)):
        return "DELETE", f"/backups/{found[1]}"
    if method == "DELETE" and is_old and (found := ONE_BACKUP.fullmatch(path)):
        return "POST", f"/snapshots/{found[1]}/remove"
    for old, new, since in RENAMED:
        if older(version, since, unknown=False):
            path = _older_name(path, old, new)
        elif re.match(old, path):
            return method, re.sub(f"^{old}", new, path)
    return method, path


def _older_name(path: str, old: str, new: str) -> str:
    rest = path[len(new) :]
    plain = re.sub(r"\(\?.*?\)", "", old)
    lookahead = re.search(r"\(\?=(.*)\)", old)
    fits = re.match(lookahead[1], rest) if lookahead else not rest
    return f"{plain}{rest}" if path.startswith(new) and fits else path


# --- answers


def judged(kind: str, reply: Reply) -> Answer:
    """Sanitize an answer by the kind of answer that the call has."""
    if kind == "image":
        if reply.body.startswith(PNG):
            return Answer(200, "image/png", reply.body)
        if reply.status >= LOWEST_ERROR:
            # The device says why there is none.
            return in_error_envelope(read(reply))
        return Answer(reply.status, bad_because="It is no picture.")
    if kind == "text" and not reply.content_type.startswith("application/json"):
        text = ANSI.sub(b"", reply.body).decode("utf-8", "replace")
        return Answer(reply.status, TEXT if text else "", text.encode())
    answer = read(reply)
    if answer.is_good and not (isinstance(value := answer.value, dict) and "result" in value):
        return Answer(reply.status, bad_because="It is no envelope of a supervisor.")
    return in_error_envelope(answer)


def shaped(asked: str, value: dict[str, Any], *, opens: bool) -> dict[str, Any]:
    """Convert the envelope to the requested path's format, masking secrets."""
    data = value.get("data")
    if not isinstance(data, dict):
        return value
    latest = data.get("version_latest", data.get("last_version"))
    if latest is not None:
        data |= {"version_latest": latest, "last_version": latest}
    if asked in {"/addons", "/supervisor/info"}:
        _name_installed(data.get("addons"))
    if asked == "/snapshots" and "backups" in data:
        data["snapshots"] = data.pop("backups")
    if asked == "/backups" and "snapshots" in data:
        data["backups"] = data.pop("snapshots")
    if isinstance(options := data.get("options"), dict) and not opens:
        data["options"] = _masked(options, _passwords(data.get("schema")))
    return value


def _name_installed(addons: Any) -> None:
    """Tell in the words of 2020 which add-ons are installed; later lists have no others."""
    for addon in addons if isinstance(addons, list) else ():
        if isinstance(addon, dict) and "version_latest" in addon:
            addon.setdefault("installed", addon.get("version"))
            addon.setdefault("last_version", addon["version_latest"])


def _passwords(schema: Any) -> set[str]:
    """Return the names of the options that are passwords."""
    fields = schema if isinstance(schema, list) else []
    return {
        str(field.get("name"))
        for field in fields
        if isinstance(field, dict) and "password" in {field.get("format"), field.get("type")}
    }


def _masked(value: Any, names: set[str], name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _masked(one, names, str(key)) for key, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, names, name) for one in value]
    return MASK if value and (name in names or looks_secret(name)) else value


JOBS_SINCE: Version = (2020, 11)


def tells_progress(route: Route, version: str) -> bool:
    """Return whether the device reports progress of this call (since late 2020)."""
    return (
        route in TABLE and route.seconds > LONG and not older(version, JOBS_SINCE, unknown=True)
    )


def progress_of(answer: Answer) -> tuple[int, str] | None:
    """Return (percent, stage) of the newest unfinished job, or None."""
    value = answer.value if answer.is_good else None
    data = value.get("data") if isinstance(value, dict) else None
    jobs = data.get("jobs") if isinstance(data, dict) else None
    open_ones = [
        job
        for job in (jobs if isinstance(jobs, list) else [])
        if isinstance(job, dict) and not job.get("done")
    ]
    if not open_ones:
        return None
    job = max(open_ones, key=lambda one: str(one.get("created", "")))
    progress = job.get("progress")
    per_cent = int(progress) if isinstance(progress, int | float) else 0
    return min(max(per_cent, 0), 100), str(job.get("stage") or job.get("name") or "")[:64]


def ends_own_addon(path: str) -> bool:
    """Return whether the call would end the add-on that carries it."""
    found = ENDS_ADDON.fullmatch(path)
    slug = found["slug"] if found else ""
    return slug == "self" or slug.rpartition("_")[2] == OWN_SLUG


def not_ready(reply: Reply) -> bool:
    """Return whether the supervisor is starting or stopping."""
    return reply.status >= 400 and NOT_READY in reply.body[:512]  # noqa: PLR2004


def told_version(path: str, value: Any) -> str:
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, dict):
        return ""
    found = data.get({"/info": "supervisor", "/supervisor/info": "version"}.get(path, ""))
    return found if isinstance(found, str) else ""
