"""Celery tasks of discovery: idempotent, with their work in the database."""

from uuid import UUID

from celery import shared_task

from controller.discovery import rules
from controller.discovery.models import Scan


@shared_task
def scan(pk: str) -> bool:
    row = Scan.objects.filter(pk=UUID(pk)).first()
    return row is not None and rules.drive(row)


@shared_task
def find_lost() -> int:
    return rules.resume_lost()
