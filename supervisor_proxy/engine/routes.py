"""What may be asked of a supervisor: tables of routes, and how a request finds its row.

A request that is in no row never reaches a device. What does reach one is written anew from
the row and from checked values; nothing of the request's own text is passed on.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from jsonschema import Draft7Validator

from controller.base.errors import NotFound, Refused
from controller.base.masking import looks_secret
from supervisor_proxy.engine.versions import Version, older

MASK = "********"
LONGEST_PATH = 512
LARGEST_DATA = 64 * 1024
# A path with any of these means something else to somebody on the way.
SUSPICIOUS = re.compile(r"[\\%?#;\x00-\x20\x7f]|[^\x00-\x7f]")
ENCODED = re.compile(r"%(?:2f|5c|3f|23|25|2e|0[0-9a-f]|1[0-9a-f])", re.IGNORECASE)
PLACE = re.compile(r"\{(\w+)\}")
NO_SUCH_CALL = (
    "There is no such call of a supervisor here; the documentation lists those that are."
)


@dataclass(frozen=True, slots=True)
class Route:
    """One row: a call, who may make it, and what a device needs to know it."""

    name: str
    method: str
    pattern: str
    """``{app}`` is a number, any other place a name."""
    permission: str
    """The verb of ``supervisor:…`` that the caller needs."""
    body: Mapping[str, Any] | None = None
    """JSON Schema of the body; None is none at all."""
    query: Collection[str] = ()
    since: Version | None = None
    until: Version | None = None
    """The first version that has it no more."""
    seconds: float = 30.0
    changes: bool = True
    """Whether it does something; such calls are one at a time on a device."""
    dangerous: bool = False
    waits: bool = False
    """Whether it may wait for a device that is away. Never what surprises hours later."""
    secret: bool = False
    """Whether the answer itself is a secret."""
    leaves: bool = False
    """Whether the device is away for a while afterwards."""
    kind: str = "json"
    """What the answer is: ``json``, ``text`` or an ``image``."""
    raw: bool = False
    """Whether the body is bytes, for somebody behind the supervisor."""

    @property
    def takes_app(self) -> bool:
        return self.body is not None and "appId" in self.body.get("properties", {})

    @property
    def takes_force(self) -> bool:
        return self.body is not None and "force" in self.body.get("properties", {})


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A request that found its row: everything in it is checked."""

    route: Route
    path: str
    """Written from the row's pattern."""
    query: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    head: bool = False
    """Asked with HEAD: the same, without the answer's body."""
    content: bytes = field(default=b"", repr=False)
    """The body of a row that takes bytes."""

    @property
    def app(self) -> int | None:
        """The application that the caller named in the path or in the data."""
        named = self.data.get("appId")
        if named is None and (found := _regex(self.route.pattern).fullmatch(self.path)):
            named = found.groupdict().get("app")
        return None if named is None else int(named)

    @property
    def forces(self) -> bool:
        return bool(self.data.get("force"))

    @property
    def shown(self) -> dict[str, Any]:
        """What of it may stand in a record: plain values, no settings of the device."""
        return {
            name: MASK if looks_secret(name) and isinstance(value, str) else value
            for name, value in {**self.query, **self.data}.items()
            if isinstance(value, bool | int | str)
        }


def clean(path: str, raw: str = "") -> str:
    """A path as the tables have it; refuses what could mean two things.

    ``raw`` is the same before percent-decoding, where the server told it.
    """
    if ENCODED.search(raw) or SUSPICIOUS.search(path) or len(path) > LONGEST_PATH:
        raise Refused(
            "The path has characters that no call of a supervisor has: encoded slashes, "
            "question marks, backslashes or control characters.",
            code="bad_path",
        )
    parts = [part for part in path.split("/") if part]
    if any(part in {".", ".."} for part in parts):
        raise Refused("The path goes up or nowhere by dots.", code="bad_path")
    return "/" + "/".join(parts)


@lru_cache(maxsize=512)
def _regex(pattern: str) -> re.Pattern[str]:
    def place(found: re.Match[str]) -> str:
        kind = r"[0-9]{1,18}" if found[1] == "app" else r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}"
        return f"(?P<{found[1]}>{kind})"

    return re.compile(PLACE.sub(place, pattern))


def find(table: Iterable[Route], method: str, path: str) -> Route:
    """The row of a cleaned path; NotFound, or with the code ``method`` the other methods."""
    rows = [row for row in table if _regex(row.pattern).fullmatch(path)]
    if not rows:
        raise NotFound(NO_SUCH_CALL, code="unknown_call")
    wanted = "GET" if method == "HEAD" else method
    for row in rows:
        if row.method == wanted:
            return row
    others = ", ".join(row.method for row in rows)
    raise Refused(
        f'{path} is called with {others}; name it as "method" in the body.', code="method"
    )


def parse_request(
    table: Iterable[Route],
    *,
    method: str,
    path: str,
    raw: str = "",
    query: Mapping[str, str] | None = None,
    data: Any = None,
    content: bytes = b"",
) -> CallRequest:
    """Find the row of a request and check everything in it."""
    cleaned = clean(path, raw)
    row = find(table, method, cleaned)
    extra = sorted(set(query or {}) - set(row.query))
    if extra:
        raise Refused(
            f"{cleaned} takes no parameter {extra[0]!r} in its address. The portal adds what "
            "the device asks for by itself.",
            code="bad_query",
        )
    found = _regex(row.pattern).fullmatch(cleaned)
    places = found.groupdict() if found else {}
    rebuilt = PLACE.sub(lambda place: places[place[1]], row.pattern)
    return CallRequest(
        row,
        rebuilt,
        dict(query or {}),
        checked(row, data),
        head=method == "HEAD",
        content=content,
    )


def checked(row: Route, data: Any) -> dict[str, Any]:
    """The body's values by the row's schema; clients send an empty object where none is due."""
    given = {} if data is None else data
    if not isinstance(given, dict):
        raise Refused({"data": ["An object is expected."]})
    if row.body is None:
        if given:
            raise Refused({"data": [f"{row.pattern} takes no data."]})
        return {}
    values = dict(given)
    app = values.get("appId")
    # Clients send numbers as text, as forms do.
    if isinstance(app, str) and re.fullmatch(r"[0-9]{1,18}", app):
        values["appId"] = int(app)
    wrong = [
        f"{'.'.join(str(step) for step in error.path)}: {error.message}".lstrip(": ")
        for error in Draft7Validator(row.body).iter_errors(values)
    ]
    if wrong:
        raise Refused({"data": [text[:300] for text in wrong[:5]]})
    return values


def gate(row: Route, version: str) -> None:
    """Refuses what this version of the device does not have; an unknown version may try."""
    if row.until and not older(version, row.until, unknown=True):
        raise Refused(
            f"Supervisors have no {row.pattern} since version {dotted(row.until)}; this "
            f"device runs {version}.",
            code="unsupported_by_device",
        )
    if row.since and older(version, row.since, unknown=False):
        raise Refused(
            f"{row.pattern} came with version {dotted(row.since)} of the supervisor; this "
            f"device runs {version}.",
            code="unsupported_by_device",
        )


def dotted(version: Version) -> str:
    return ".".join(str(part) for part in version)
