"""Celery application, and `enqueue_on_commit`, the only way to start a task."""

import gc
import logging
import os
from typing import Any

from celery import Celery, Task, bootsteps
from django.db import transaction
from kombu.exceptions import OperationalError

from controller import broker
from controller.base import health
from controller.base.database import renew_connections
from controller.base.encryption_check import check_keys
from controller.base.request_context import RequestContext, context_or_none, use_context

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controller.settings")


class TracedTask(Task):  # type: ignore[type-arg]
    """Task that passes its name and the requesting request id to logs and audit.

    It begins with a database connection that works, as a request does.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        renew_connections()
        request_id = (self.request.headers or {}).get("request_id") or self.request.id
        with use_context(RequestContext(request_id=str(request_id), channel=self.name)):
            return super().__call__(*args, **kwargs)


class FreezeGarbageCollector(bootsteps.Step):
    """Worker step before forking: exempt everything loaded so far from garbage collection.

    Without it, collection took a quarter of the time of rendering.
    """

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        gc.collect()
        gc.freeze()


class CheckKeys(bootsteps.Step):
    """Refuses to start a worker whose encryption keys fit no stored secret."""

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        check_keys()


class QueueHeartbeat(bootsteps.StartStopStep):
    """Records every few seconds to which queues this worker listens.

    It runs in the worker's own process, so long tasks do not delay it.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self.timer: Any = None

    def start(self, parent: Any) -> None:
        names = [queue.name for queue in parent.task_consumer.queues]
        health.record_workers(names)
        self.timer = parent.timer.call_repeatedly(
            health.HEARTBEAT_EVERY, health.record_workers, (names,)
        )

    def stop(self, parent: Any) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


broker.register()
app = Celery("muster", task_cls=TracedTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(CheckKeys)
app.steps["worker"].add(FreezeGarbageCollector)
app.steps["consumer"].add(QueueHeartbeat)

log = logging.getLogger(__name__)


def enqueue_on_commit(task: str, *args: object, countdown: float = 0) -> None:
    """Enqueue `task` on commit. Best effort: if the broker is down, nothing is raised.

    The periodic reconciler then picks the rows up a little later. ``countdown`` is in
    seconds, for
    bursts of work that can be done together.
    """

    trace = context_or_none()
    headers = {"request_id": trace.request_id} if trace else None

    def send() -> None:
        try:
            app.send_task(task, args, retry=False, countdown=countdown or None, headers=headers)
        except OperationalError as error:
            log.warning("broker is away, %s waits for the reconciler: %s", task, error)

    transaction.on_commit(send)
