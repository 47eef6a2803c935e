"""The Celery application, and the one way to wake a worker."""

import logging
import os

from celery import Celery
from django.db import transaction
from kombu.exceptions import OperationalError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controller.settings")

app = Celery("muster")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

log = logging.getLogger(__name__)


def wake(task: str, *args: object, countdown: float = 0) -> None:
    """Tell a worker that runs this task, once this transaction has committed, that rows have work for it.

    A message is only a hint: where the broker is away, the periodic reconciler finds the same
    rows a little later, so the caller goes on. ``countdown`` is in seconds, for what comes in
    bursts and can be done together.
    """

    def send() -> None:
        try:
            app.send_task(task, args, retry=False, countdown=countdown or None)
        except OperationalError as error:
            log.warning("broker is away, %s waits for the reconciler: %s", task, error)

    transaction.on_commit(send)
