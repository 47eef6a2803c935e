"""Expiring certificates on the dashboard."""

from typing import Any

from controller.base.admin import admin_url
from pki.admin.base import expiry_badge
from pki.rules import notices

SHOWN_MOST = 10


def expiring(user: Any) -> list[dict[str, Any]]:
    """Return CAs and certificates that end within a month, most urgent first."""
    if not user.has_perm_anywhere("cert:read"):
        return []
    rows = [row for notice in notices(user) for row in notice.rows][:SHOWN_MOST]
    return [
        {"row": row, "badge": expiry_badge(row), "link": admin_url(type(row), "change", row.pk)}
        for row in rows
    ]
