"""Client of the ACME http-01 challenge (RFC 8555, 8.3)."""

from urllib.parse import urlsplit

from controller.base.errors import Unreachable
from controller.base.outbound import Kind, http

TIMEOUT_SECONDS = 5
# Total time limit, against bodies that trickle in within the timeout.
DEADLINE_SECONDS = 10
MOST_BYTES = 1024
MOST_REDIRECTS = 3
PORTS = {"http": 80, "https": 443}


def fetch(name: str, token: str, *, port: int = 80) -> str:
    """Return the text served by the name for this token.

    Raises `Unreachable` with the reason. Redirects are only followed within the same name,
    so that clients cannot make the portal connect elsewhere (SSRF). TLS certificates are
    not verified: the name may have none yet.
    """
    url = f"http://{name}:{port}/.well-known/acme-challenge/{token}"
    with http.client(
        Kind.ACME, timeout=TIMEOUT_SECONDS, seconds=DEADLINE_SECONDS, largest=None,
        tls=http.unchecked(),
    ) as client:  # fmt: skip
        for _ in range(MOST_REDIRECTS + 1):
            try:
                status, target, text = _get(client, url)
            except (http.HTTPError, http.InvalidURL, UnicodeError) as error:
                reason = f"{name} does not answer over HTTP: {type(error).__name__}"
                raise Unreachable(reason) from error
            if target is None:
                return _content(name, status, text)
            url = _within(name, target, port)
    raise Unreachable(f"{name} redirects more than {MOST_REDIRECTS} times")


def _get(client: http.Client, url: str) -> tuple[int, str | None, str]:
    with client.stream("GET", url) as response:
        if response.is_redirect and response.next_request is not None:
            return response.status_code, str(response.next_request.url), ""
        body = b""
        for part in response.iter_raw():
            body += part
            if len(body) >= MOST_BYTES:
                break
        return response.status_code, None, body[:MOST_BYTES].decode("ascii", "replace")


def _content(name: str, status: int, text: str) -> str:
    if status != http.codes.OK:
        raise Unreachable(f"{name} answers with status {status}")
    return text.strip()


def _within(name: str, target: str, port: int) -> str:
    parts = urlsplit(target)
    allowed = {port, PORTS.get(parts.scheme)}
    actual = parts.port or PORTS.get(parts.scheme)
    if parts.hostname != name or actual not in allowed:
        raise Unreachable(f"{name} redirects to another name")
    return target
