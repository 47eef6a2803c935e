"""Celery tasks of VPN servers: idempotent, with their work in the database."""

from celery import shared_task

from controller.vpn import rules


@shared_task
def tell_servers() -> int:
    return rules.sync_servers()
