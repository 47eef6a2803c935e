"""Route tables of supervisor calls, matching and validation of requests.

A request without a route never reaches a device. A call is rebuilt from its route and
validated values; no raw text of the request is passed on.
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
# Characters that proxies and servers may interpret differently.
SUSPICIOUS = re.compile(r"[\\%?#;\x00-\x20\x7f]|[^\x00-\x7f]")
ENCODED = re.compile(r"%(?:2f|5c|3f|23|25|2e|0[0-9a-f]|1[0-9a-f])", re.IGNORECASE)
PLACE = re.compile(r"\{(\w+)\}")
NO_SUCH_CALL = (
    "There is no such call of a supervisor here; the documentation lists those that are."
)


@dataclass(frozen=True, slots=True)
class Route:
    """One supported call: permission, schema, versions and limits."""

    name: str
    method: str
    pattern: str
    """``{app}`` is a number, any other placeholder a name."""
    permission: str
    """Required verb of ``supervisor:…``."""
    body: Mapping[str, Any] | None = None
    """JSON Schema of the body; None if there is no body."""
    query: Collection[str] = ()
    since: Version | None = None
    until: Version | None = None
    """First version without the call."""
    seconds: float = 30.0
    changes: bool = True
    """Whether the call modifies the device; such calls are serialized per device."""
    dangerous: bool = False
    waits: bool = False
    """Whether the call may be queued for an offline device."""
    secret: bool = False
    """Whether the answer is a secret."""
    leaves: bool = False
    """Whether the device is offline for a while afterwards."""
    kind: str = "json"
    """Kind of answer: ``json``, ``text`` or ``image``."""
    raw: bool = False
    """Whether the body is raw bytes for a service behind the supervisor."""

    @property
    def takes_app(self) -> bool:
        return self.body is not None and "appId" in self.body.get("properties", {})

    @property
    def takes_force(self) -> bool:
        return self.body is not None and "force" in self.body.get("properties", {})


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A validated request with its route."""

    route: Route
    path: str
    """Path rebuilt from the route's pattern."""
    query: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    head: bool = False
    """HEAD request: the answer's body is omitted."""
    content: bytes = field(default=b"", repr=False)
    """Body of a route with raw bytes."""
    entries: str = ""
    """Part of a log, as the value of a Range header."""

    @property
    def app(self) -> int | None:
        """Return the application id in the path or the data, or None."""
        named = self.data.get("appId")
        if named is None and (found := _regex(self.route.pattern).fullmatch(self.path)):
            named = found.groupdict().get("app")
        return None if named is None else int(named)

    @property
    def forces(self) -> bool:
        return bool(self.data.get("force"))

    @property
    def shown(self) -> dict[str, Any]:
        """Return the plain values that may be recorded, without device settings."""
        return {
            name: MASK if looks_secret(name) and isinstance(value, str) else value
            for name, value in {**self.query, **self.data}.items()
            if isinstance(value, bool | int | str)
        }


def clean(path: str, raw: str = "") -> str:
    """Normalize a path. Raises Refused if it is ambiguous.

    ``raw`` is the path before percent-decoding, if the server provides it.
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
    """Return the route of a cleaned path.

    Raises NotFound, or Refused for a wrong method.
    """
    rows = [row for row in table if _regex(row.pattern).fullmatch(path)]
    if not rows:
        raise NotFound(NO_SUCH_CALL, code="unknown_call")
    wanted = "GET" if method == "HEAD" else method
    for row in rows:
        if row.method == wanted:
            return row
    others = ", ".join(row.method for row in rows)
    raise Refused(f"{path} is called with {others}.", code="method")


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
    """Find the route of a request and validate all values. Raises Refused."""
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
    """Validate the body. Empty objects are accepted for calls without a body."""
    given = {} if data is None else data
    if not isinstance(given, dict):
        raise Refused({"data": ["An object is expected."]})
    if row.body is None:
        if given:
            raise Refused({"data": [f"{row.pattern} takes no data."]})
        return {}
    values = dict(given)
    app = values.get("appId")
    # Clients send numbers as text, like forms do.
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
    """Raise Refused if the device's version lacks the call. Unknown versions may try."""
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
