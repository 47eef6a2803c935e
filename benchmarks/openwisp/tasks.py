"""Celery application of OpenWISP's worker."""

import os

from celery import Celery

os.environ["DJANGO_SETTINGS_MODULE"] = os.environ.get(
    "BENCH_OPENWISP_SETTINGS", "benchmarks.openwisp.settings"
)
app = Celery("openwisp")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
