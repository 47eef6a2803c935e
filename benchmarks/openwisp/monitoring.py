"""Settings of OpenWISP Monitoring beside OpenWISP Controller, as its documentation recommends."""

import os

from benchmarks.openwisp.settings import *  # noqa: F403 - all settings of the controller
from benchmarks.openwisp.settings import INSTALLED_APPS as OF_CONTROLLER

INSTALLED_APPS = [
    *OF_CONTROLLER[: OF_CONTROLLER.index("openwisp_notifications")],
    "openwisp_monitoring.monitoring",
    "openwisp_monitoring.device",
    "openwisp_monitoring.check",
    "nested_admin",
    *OF_CONTROLLER[OF_CONTROLLER.index("openwisp_notifications") :],
]
ROOT_URLCONF = "benchmarks.openwisp.monitoring_urls"
TIMESERIES_DATABASE = {
    "BACKEND": "openwisp_monitoring.db.backends.influxdb",
    "USER": "openwisp",
    "PASSWORD": "openwisp",
    "NAME": "openwisp2",
    "HOST": "127.0.0.1",
    "PORT": os.environ["BENCH_INFLUXDB_PORT"],
}
CELERY_TASK_ROUTES = {
    "openwisp_controller.connection.tasks.*": {"queue": "network"},
    "openwisp_monitoring.check.tasks.*": {"queue": "monitoring_checks"},
    "openwisp_monitoring.device.tasks.*": {"queue": "monitoring"},
    "openwisp_monitoring.monitoring.tasks.*": {"queue": "monitoring"},
}
