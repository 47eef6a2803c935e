"""Theme of the admin: name, colors, icon, and the settings of django-unfold."""

from typing import Any

from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from controller.navigation import SIDEBAR, TABS, linked

CONTEXT_PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
    "csp.context_processors.nonce",
    "controller.notifications.admin.context_processors.unread",
    "controller.accounts.admin.saved_filters.saved_filters",
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Muster",
    "SITE_HEADER": "Muster",
    "SITE_SUBHEADER": _("Device controller"),
    "SITE_SYMBOL": "hub",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _request: static("portal/favicon.svg"),
        }
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "DASHBOARD_CALLBACK": "controller.dashboard.dashboard",
    "COLORS": {
        # Hue 225; 600 on white and 400 on the dark background both have a contrast above 4.5.
        "primary": {
            "50": "oklch(97.5% .013 225)",
            "100": "oklch(94.8% .028 225)",
            "200": "oklch(89.5% .058 225)",
            "300": "oklch(82% .098 225)",
            "400": "oklch(73.5% .125 225)",
            "500": "oklch(62% .125 225)",
            "600": "oklch(51% .108 227)",
            "700": "oklch(44.5% .094 229)",
            "800": "oklch(39% .08 231)",
            "900": "oklch(34.5% .068 233)",
            "950": "oklch(26% .052 235)",
        },
    },
    "COMMAND": {
        # unfold's own search brings every match of every model.
        "search_callback": "controller.base.admin.search.search_results",
        "show_history": False,
    },
    "ACCOUNT": {
        "navigation": [
            {
                "title": _("Language and time zone"),
                "link": linked("admin:user_preferences"),
            },
            {"title": _("Change password"), "link": linked("admin:password_change")},
        ]
    },
    "TABS": TABS,
    "SIDEBAR": SIDEBAR,
}
