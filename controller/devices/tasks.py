from celery import shared_task

from controller.devices.drivers import agent_cache
from controller.devices.rules import record_last_seen


@shared_task
def flush_last_seen() -> int:
    """Write what polling agents left in Redis."""
    written = record_last_seen(agent_cache.take_seen())
    agent_cache.discard_taken()
    return written
