"""Retention of the history of upgrades and rollouts."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from controller.firmware.models import (
    FirmwareRollout,
    GatewayRollout,
    GatewayUpgrade,
    ImageRequest,
    Upgrade,
)

AT_ONCE = 500


def forget() -> int:
    """Delete upgrades and rollouts that ended long ago. Returns their number; 0 days keeps all."""
    if not settings.MUSTER_FIRMWARE_HISTORY_DAYS:
        return 0
    limit = timezone.now() - timedelta(days=settings.MUSTER_FIRMWARE_HISTORY_DAYS)
    ended = Upgrade.objects.filter(state__in=Upgrade.ENDED, ended__lt=limit)
    count: int = Upgrade.objects.filter(pk__in=ended.values("pk")[:AT_ONCE]).delete()[0]
    old = GatewayRollout.objects.filter(ended__lt=limit).exclude(
        upgrades__state__in=GatewayUpgrade.OPEN
    )
    count += int(GatewayRollout.objects.filter(pk__in=old.values("pk")).delete()[0])
    requests = ImageRequest.objects.filter(ended__lt=limit)
    count += int(ImageRequest.objects.filter(pk__in=requests.values("pk")).delete()[0])
    empty = FirmwareRollout.objects.filter(ended__lt=limit, upgrades=None)
    return count + int(FirmwareRollout.objects.filter(pk__in=empty.values("pk")).delete()[0])
