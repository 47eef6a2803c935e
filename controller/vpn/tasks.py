"""What workers do for VPN servers; each may run twice, and finds its work on rows."""

from celery import shared_task

from controller.vpn import rules


@shared_task
def tell_servers() -> int:
    return rules.sync_servers()
