"""WSGI application for gunicorn that sets each device's own address, like a proxy.

Devices polling from one shared address take the last address from each other, which costs
OpenWISP four queries per poll.
"""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = os.environ.get(
    "BENCH_OPENWISP_SETTINGS", "benchmarks.openwisp.settings"
)
django_application = get_wsgi_application()


def application(environ, start_response):  # type: ignore[no-untyped-def]
    environ["REMOTE_ADDR"] = environ.get("HTTP_X_FORWARDED_FOR", environ["REMOTE_ADDR"])
    return django_application(environ, start_response)
