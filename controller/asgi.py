"""What the web server calls.

Django is served as WSGI in a few threads with lasting database connections: under Django's own
ASGI handler every request would hop between threads and open connections anew.
"""

import os
from collections.abc import MutableMapping
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from granian.utils.proxies import wrap_asgi_with_proxy_headers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controller.settings")

django_application = get_wsgi_application()

from controller.dialects.polling import (  # noqa: E402 - needs the settings to be ready
    FastPolls,
    Receive,
    Scope,
    Send,
)

wsgi: Any = WSGIMiddleware(cast(Any, django_application), workers=settings.WEB_THREADS)


async def in_threads(scope: Scope, receive: Receive, send: Send) -> None:
    """Django, in a few threads; these want real coroutines, the server has other awaitables."""

    async def received() -> MutableMapping[str, Any]:
        return await receive()

    async def sent(message: MutableMapping[str, Any]) -> None:
        await send(message)

    await wsgi(scope, received, sent)


application: Any = FastPolls(in_threads)
if settings.TRUSTED_PROXIES:
    application = wrap_asgi_with_proxy_headers(
        application, trusted_hosts=settings.TRUSTED_PROXIES
    )
