"""What the web server calls.

Django is served as WSGI in a few threads with lasting database connections: under Django's own
ASGI handler every request would hop between threads and open connections anew.
"""

import os

from a2wsgi import WSGIMiddleware
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controller.settings")

django_application = get_wsgi_application()
application = WSGIMiddleware(django_application, workers=4)  # type: ignore[arg-type]
