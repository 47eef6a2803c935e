"""Panels of a device's page. Upper apps register theirs; a panel is a context variable."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

from controller.devices.models import Device

Panel = Callable[[HttpRequest, Device], Any]
PANELS: dict[str, Panel] = {}


def register_panel(name: str, build: Panel) -> None:
    """Add a panel. ``build`` returns its template context, or None if it is not shown."""
    PANELS[name] = build


def build_panels(request: HttpRequest, device: Device) -> dict[str, Any]:
    """Return the context of all panels of a device's page, by name."""
    return {name: build(request, device) for name, build in PANELS.items()}
