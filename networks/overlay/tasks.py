"""Tasks of overlay networks."""

from celery import shared_task

from networks.overlay.rules import direct_paths, presence, shares


@shared_task(name="networks.tasks.look")
def refresh_presence() -> int:
    """Expire members and refresh the presence of all others."""
    return presence.refresh_all()


@shared_task(name="networks.tasks.mail_share")
def mail_share(share_id: int) -> bool:
    return shares.mail(share_id)


@shared_task(name="networks.tasks.advance_ways")
def advance_ways() -> int:
    """Advance the pairs of overlay devices whose time has come."""
    return direct_paths.advance_due()
