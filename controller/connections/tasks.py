from uuid import UUID

from celery import shared_task

from controller.connections.rules import command_worker, presence_polling, terminals


@shared_task
def sweep() -> None:
    """Enqueue presence polls of all active devices, in batches."""
    for batch in presence_polling.batches():
        poll.delay([device.hex for device in batch])


@shared_task
def poll(device_ids: list[str]) -> None:
    presence_polling.poll([UUID(device) for device in device_ids])


@shared_task
def run_commands() -> int:
    return command_worker.run_due()


# Named as it always was, so that what is queued during an upgrade is found.
@shared_task(name="supervisor_proxy.tasks.close_terminals")
def close_terminals() -> None:
    """Close the terminals whose connection was lost without a word."""
    terminals.forget_dead()
