"""OPNsense's REST API: key and secret by Basic, the same five calls for every kind of thing.

Facts from docs.opnsense.org/development/api: an answer with status 200 can say that it failed.
"""

import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from socket import getaddrinfo
from typing import Any
from urllib.parse import urlsplit

import httpx

from networks.drivers.gateways.contract import (
    Endpoint,
    OutcomeUnknown,
    Rejected,
    TimedOut,
    Unreachable,
)
from networks.engine.features import Feature

# It has changed nothing when it answers with one of these.
REFUSALS = {400, 401, 403, 404, 405}
MOST_ROWS = 5000
SHOWN = 300


def pinned(endpoint: Endpoint) -> tuple[str, str]:
    """The address to connect to, and the name that its certificate is for."""
    url = urlsplit(endpoint.url)
    host = url.hostname or ""
    try:
        found = [one[4][0] for one in getaddrinfo(host, url.port or 443)]
    except OSError as error:
        raise Unreachable(f"The name {host} is not known.") from error
    for text in found:
        address = ip_address(str(text).split("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        if mapped.is_loopback and endpoint.is_local_allowed:
            continue
        if mapped.is_loopback or mapped.is_link_local or mapped.is_multicast:
            raise Unreachable(f"{host} is no address of a gateway.")
        if mapped.is_unspecified:
            raise Unreachable(f"{host} is no address of a gateway.")
    return str(found[0]), host


class OPNsense:
    def __init__(self, endpoint: Endpoint) -> None:
        url = urlsplit(endpoint.url)
        address, self._name = pinned(endpoint)
        shown = f"[{address}]" if ":" in address else address
        port = f":{url.port}" if url.port else ""
        trusted = ssl.create_default_context()
        if endpoint.ca_certificate:
            trusted.load_verify_locations(cadata=endpoint.ca_certificate)
        self._client = httpx.Client(
            base_url=f"{url.scheme}://{shown}{port}{url.path.rstrip('/')}/api/",
            auth=(endpoint.credentials["key"], endpoint.credentials["secret"]),
            headers={"Host": url.netloc.rpartition("@")[2]},
            timeout=endpoint.seconds,
            verify=trusted,
            trust_env=False,
        )

    def __enter__(self) -> "OPNsense":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def facts(self) -> dict[str, str]:
        found = self._ask("GET", "core/firmware/info")
        return {
            "version": str(found.get("product_version", ""))[:64],
            "name": str(found.get("product_name", "OPNsense"))[:64],
        }

    def started(self) -> str:
        return str(self._ask("GET", "diagnostics/system/systemTime").get("boottime", ""))

    def ids(self, feature: Feature) -> list[str]:
        asked = {"current": 1, "rowCount": MOST_ROWS, "searchPhrase": ""}
        rows = self._ask("POST", f"{feature.path}/search{feature.noun}", asked).get("rows", [])
        return [str(row["uuid"]) for row in rows if isinstance(row, dict) and "uuid" in row]

    def read(self, feature: Feature, target: str) -> dict[str, str] | None:
        found = self._ask("GET", f"{feature.path}/get{feature.noun}/{target}")
        row = found.get(feature.wrapper)
        if not isinstance(row, dict):
            return None
        return {
            name: chosen(value, feature.separator)
            for name, value in row.items()
            if name in feature.properties and name not in feature.secret
        }

    def write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, Any]
    ) -> str:
        if feature.deed:
            self._tell(feature.deed)
            return ""
        verb = {"create": "add", "update": "set", "delete": "del"}[operation]
        path = f"{feature.path}/{verb}{feature.noun}" + (f"/{target}" if target else "")
        answer = self._tell(path, {} if verb == "del" else {feature.wrapper: dict(values)})
        if answer.get("result") not in {"saved", "deleted"}:
            raise Rejected(reason(answer))
        return str(answer.get("uuid") or target)

    def activate(self, feature: Feature) -> None:
        if not feature.activation:
            return
        if not feature.has_savepoint:
            self._tell(feature.activation)
            return
        # Unless it is told within a minute that all is well, it goes back by itself: a rule
        # that locks the portal out is undone.
        revision = str(self._tell("firewall/filter/savepoint").get("revision", ""))
        self._tell(f"{feature.activation}/{revision}")
        self._tell(f"firewall/filter/cancelRollback/{revision}")

    def _tell(self, path: str, sent: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask for something that changes the gateway."""
        return self._ask("POST", path, sent or {}, is_write=True)

    def _ask(
        self,
        method: str,
        path: str,
        sent: Mapping[str, Any] | None = None,
        *,
        is_write: bool = False,
    ) -> dict[str, Any]:
        try:
            answer = self._client.request(
                method, path, json=sent, extensions={"sni_hostname": self._name}
            )
        except httpx.ConnectTimeout as error:
            raise TimedOut("The gateway does not answer in time.") from error
        except (httpx.ConnectError, httpx.PoolTimeout, httpx.InvalidURL) as error:
            raise Unreachable("The gateway cannot be reached.") from error
        except httpx.HTTPError as error:
            raise lost(error, is_write=is_write) from error
        return understood(answer, is_write=is_write)


def lost(error: httpx.HTTPError, *, is_write: bool) -> Exception:
    """The request was sent, and no answer came back."""
    if is_write:
        return OutcomeUnknown("The gateway got the change and did not answer.")
    if isinstance(error, httpx.TimeoutException):
        return TimedOut("The gateway does not answer in time.")
    return Unreachable(f"The gateway does not answer as it should ({type(error).__name__}).")


def understood(answer: httpx.Response, *, is_write: bool) -> dict[str, Any]:
    status = answer.status_code
    if status in {401, 403}:
        raise Unreachable("The gateway does not accept the key, or the key may not do this.")
    if status in REFUSALS and is_write:
        raise Rejected(f"The gateway answers with status {status}.")
    if not answer.is_success:
        kind = OutcomeUnknown if is_write else Unreachable
        raise kind(f"The gateway answers with status {status}.")
    try:
        found = answer.json()
    except ValueError as error:
        kind = OutcomeUnknown if is_write else Unreachable
        raise kind("The gateway's answer is no JSON.") from error
    # PHP writes an empty object as an empty list.
    return found if isinstance(found, dict) else {}


def reason(answer: Mapping[str, Any]) -> str:
    told = answer.get("validations")
    if isinstance(told, dict) and told:
        # The values themselves are not repeated: they may be secret.
        return "; ".join(f"{name}: {text}" for name, text in told.items())[:SHOWN]
    return f"The gateway answers {str(answer.get('result', 'nothing'))[:60]!r}."


def chosen(value: Any, separator: str) -> str:
    """A field as text; of options (name → value, selected) those that are selected."""
    if isinstance(value, dict):
        picked = [
            n for n, one in value.items() if isinstance(one, dict) and one.get("selected")
        ]
        return separator.join(name for name in picked if name)
    return "" if value is None else str(value)
