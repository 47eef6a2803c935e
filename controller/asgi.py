"""ASGI entry point: checksum polls, WebSocket consumers, and Django in threads."""

import gc
import os
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest
from granian.utils.proxies import wrap_asgi_with_proxy_headers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controller.settings")

django_application = get_wsgi_application()

from channels.routing import URLRouter  # noqa: E402 - the settings must be ready

from controller.base.encryption_check import check_keys  # noqa: E402
from controller.dialects.agent import AgentHeader  # noqa: E402
from controller.dialects.checksum_fast_path import ChecksumFastPath  # noqa: E402
from controller.dialects.image_fast_path import ImageFastPath  # noqa: E402
from controller.dialects.middleware import RequestMiddleware, body_limit, plain_error  # noqa: E402
from controller.dialects.report_fast_path import ReportFastPath  # noqa: E402
from controller.dialects.ways_fast_path import WaysFastPath  # noqa: E402
from controller.urls import sockets  # noqa: E402
from controller.waiting_rooms import build_rooms  # noqa: E402
from controller.wsgi_bridge import Bridge, Receive, Scope, Send  # noqa: E402

RETRY_SECONDS = "5"


class AgentHandler(WSGIHandler):
    """WSGI handler for device agents, without sessions, cookies and browser policies."""

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's
        super().load_middleware(is_async)
        view: Any = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]
        self._middleware_chain = RequestMiddleware(AgentHeader(view))


def full_room(environ: dict[str, Any], start_response: Any) -> Any:
    """Refuse a request of a waiting room without a free place, in the words of its dialect."""
    request = HttpRequest()
    request.META, request.method = environ, environ["REQUEST_METHOD"]
    request.path_info = request.path = environ["PATH_INFO"]
    sentence = "Too many requests are waiting for other machines. Try again in a few seconds."
    response = plain_error(request, HTTPStatus.SERVICE_UNAVAILABLE, sentence)
    headers = [*response.items(), ("Retry-After", RETRY_SECONDS)]
    start_response("503 Service Unavailable", headers)
    return response


# What agents ask again and again.
AGENT_PATHS = ("/controller/", "/api/join/ways/", "/api/join/config/")


def by_path(environ: dict[str, Any], start_response: Any) -> Any:
    agents = environ["PATH_INFO"].startswith(AGENT_PATHS)
    return (agent_application if agents else django_application)(environ, start_response)


check_keys()
agent_application = AgentHandler()
pages = Bridge(
    by_path,
    threads=settings.WEB_THREADS,
    body_limit=body_limit,
    rooms=build_rooms(settings.WAITING_THREADS),
    busy=full_room,
)
consumers = URLRouter(sockets)


async def by_kind(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await consumers(scope, receive, send)
    else:
        await pages(scope, receive, send)


application: Any = ChecksumFastPath(ReportFastPath(ImageFastPath(WaysFastPath(by_kind))))
if settings.TRUSTED_PROXIES:
    application = wrap_asgi_with_proxy_headers(
        application, trusted_hosts=settings.TRUSTED_PROXIES
    )

# Objects loaded so far live as long as the process: exempt them from garbage collection.
gc.collect()
gc.freeze()
