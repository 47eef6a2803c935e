"""The Celery application, and the one way to wake a worker."""

import gc
import logging
import os
from typing import Any

from celery import Celery, Task, bootsteps
from django.db import transaction
from kombu.exceptions import OperationalError

from controller import broker
from controller.base.request_context import RequestContext, context_or_none, use_context

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controller.settings")


class TracedTask(Task):  # type: ignore[type-arg]
    """A task whose log lines and audit rows name it, and the request that woke it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        request_id = (self.request.headers or {}).get("request_id") or self.request.id
        with use_context(RequestContext(request_id=str(request_id), channel=self.name)):
            return super().__call__(*args, **kwargs)


class FreezeGarbageCollector(bootsteps.Step):
    """Before a worker forks: what is loaded stays, so the garbage collector leaves it alone.

    A quarter of a rendering's time went into looking through it again and again.
    """

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        gc.collect()
        gc.freeze()


broker.register()
app = Celery("muster", task_cls=TracedTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(FreezeGarbageCollector)

log = logging.getLogger(__name__)


def enqueue_on_commit(task: str, *args: object, countdown: float = 0) -> None:
    """Tell a worker that runs this task, once this transaction has committed, that rows have work for it.

    A message is only a hint: where the broker is away, the periodic reconciler finds the same
    rows a little later, so the caller goes on. ``countdown`` is in seconds, for what comes in
    bursts and can be done together.
    """

    trace = context_or_none()
    headers = {"request_id": trace.request_id} if trace else None

    def send() -> None:
        try:
            app.send_task(task, args, retry=False, countdown=countdown or None, headers=headers)
        except OperationalError as error:
            log.warning("broker is away, %s waits for the reconciler: %s", task, error)

    transaction.on_commit(send)
