"""What gunicorn serves: each device under its own address, as a proxy in front would tell it.

Devices that poll from one shared address take the last address from one another, which costs
the original four queries for each poll.
"""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.openwisp.settings"
django_application = get_wsgi_application()


def application(environ, start_response):  # type: ignore[no-untyped-def]
    environ["REMOTE_ADDR"] = environ.get("HTTP_X_FORWARDED_FOR", environ["REMOTE_ADDR"])
    return django_application(environ, start_response)
