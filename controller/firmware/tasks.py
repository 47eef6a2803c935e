"""Celery tasks of firmware; each finds its work on rows, and may run twice."""

from celery import shared_task

from controller.firmware.rules import storage


@shared_task
def forget() -> int:
    """Delete files that no image has."""
    return storage.forget_files()
