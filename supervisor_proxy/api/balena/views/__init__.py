"""The calls of balena's clients, their look-ups, and devices' own reports."""

from supervisor_proxy.api.balena.views.calls import (
    ProxyView,
    ReportView,
    RestartAllView,
    RestartView,
)
from supervisor_proxy.api.balena.views.lookups import (
    ApplicationView,
    DeviceView,
    NoSuchResourceView,
    WhoAmIView,
)

__all__ = [
    "ApplicationView",
    "DeviceView",
    "NoSuchResourceView",
    "ProxyView",
    "ReportView",
    "RestartAllView",
    "RestartView",
    "WhoAmIView",
]
