"""Admin of notifications, preferences, mutes and webhooks."""

from controller.notifications.admin.notifications import MuteAdmin, NotificationAdmin
from controller.notifications.admin.webhooks import DeliveryAdmin, WebhookAdmin

__all__ = ["DeliveryAdmin", "MuteAdmin", "NotificationAdmin", "WebhookAdmin"]
