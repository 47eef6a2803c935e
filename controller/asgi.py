"""What the web server calls: polls are answered at once, all else by Django in threads."""

import os
from typing import Any, cast

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from granian.utils.proxies import wrap_asgi_with_proxy_headers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controller.settings")

django_application = get_wsgi_application()

from controller.bridge import Bridge  # noqa: E402 - the settings must be ready
from controller.dialects.floor import body_limit  # noqa: E402
from controller.dialects.polling import FastPolls  # noqa: E402

application: Any = FastPolls(
    Bridge(cast(Any, django_application), threads=settings.WEB_THREADS, body_limit=body_limit)
)
if settings.TRUSTED_PROXIES:
    application = wrap_asgi_with_proxy_headers(
        application, trusted_hosts=settings.TRUSTED_PROXIES
    )
