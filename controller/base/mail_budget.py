"""How many mails with links one person may have the portal send to addresses of their choice."""

import logging
from typing import Any

from django.utils.translation import gettext
from redis.exceptions import RedisError

from controller.base.errors import Refused
from controller.base.redis import quick_client

MOST_AN_HOUR = 100
HOUR = 3600

log = logging.getLogger(__name__)


def check_mail_budget(sender: Any) -> None:
    """Count one mail of the user ``sender``; raise :class:`Refused` beyond the hourly number.

    While Redis is away nothing is counted, as with all other limits.
    """
    key = f"mails:{sender.pk}"
    try:
        redis = quick_client()
        sent = redis.incr(key)
        if sent == 1:
            redis.expire(key, HOUR)
    except (RedisError, OSError) as error:
        log.warning("Redis is away, mails of %s are not counted: %s", sender.pk, error)
        return
    if sent > MOST_AN_HOUR:
        raise Refused(
            gettext("At most %(most_an_hour)s invitations an hour. Try again later.")
            % {"most_an_hour": MOST_AN_HOUR}
        )
