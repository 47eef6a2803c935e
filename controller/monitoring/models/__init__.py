from controller.monitoring.models.checks import Check, CheckRun
from controller.monitoring.models.gateways import MonitoredGateway
from controller.monitoring.models.judgment import Condition, Silence, Threshold
from controller.monitoring.models.parts import MonitoredPart
from controller.monitoring.models.samples import (
    Block,
    LatestSample,
    MonitoredDevice,
    MonitoredOrganization,
    Reboot,
    Sample,
    Snapshot,
)
from controller.monitoring.models.wifi import WifiSession

__all__ = [
    "Block",
    "Check",
    "CheckRun",
    "Condition",
    "LatestSample",
    "MonitoredDevice",
    "MonitoredGateway",
    "MonitoredOrganization",
    "MonitoredPart",
    "Reboot",
    "Sample",
    "Silence",
    "Snapshot",
    "Threshold",
    "WifiSession",
]
