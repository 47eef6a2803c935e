"""The same connections for libraries that bring requests along, such as the single sign-on's."""

from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from controller.base.errors import Unreachable
from controller.base.outbound import http
from controller.base.outbound.kinds import Kind

SECONDS = 10.0
WHOLE_SECONDS = 30.0
LARGEST = 4 * 1024 * 1024
# Of requests, for what was sent itself.
DROPPED = {"accept-encoding", "connection", "content-length", "host"}


def session(kind: Kind) -> requests.Session:
    """Return a session whose requests go through ``outbound.http``; none follows a redirect."""
    made = requests.Session()
    made.trust_env = False
    made.max_redirects = 0
    made.mount("https://", _Adapter(kind))
    made.mount("http://", _Adapter(kind))
    return made


class _Adapter(BaseAdapter):
    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self._kind = kind

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # fmt: skip
        """Send a request; raises requests' ConnectionError, whatever went wrong."""
        headers = {
            name: str(value)
            for name, value in request.headers.items()
            if name.lower() not in DROPPED
        }
        body = request.body if isinstance(request.body, str | bytes) else None
        try:
            with http.client(
                self._kind, timeout=SECONDS, seconds=WHOLE_SECONDS, largest=LARGEST
            ) as client:
                answer = client.request(
                    request.method or "GET",
                    request.url or "",
                    content=body,
                    headers=headers,
                )
        except (http.HTTPError, http.InvalidURL, Unreachable) as error:
            raise requests.ConnectionError(str(error), request=request) from error
        made = requests.Response()
        made.status_code, made.reason = answer.status_code, answer.reason_phrase
        made.headers = CaseInsensitiveDict(answer.headers)
        made._content = answer.content
        made.encoding = answer.encoding
        made.url, made.request = request.url or "", request
        return made

    def close(self) -> None:
        """Nothing stays open between requests."""
