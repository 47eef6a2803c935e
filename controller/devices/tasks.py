from celery import shared_task

from controller.devices.drivers import agent_cache
from controller.devices.rules import record_last_seen


@shared_task
def flush_last_seen() -> int:
    """Write the agents' last requests from Redis to the database."""
    written = record_last_seen(agent_cache.take_seen())
    agent_cache.discard_taken()
    return written
