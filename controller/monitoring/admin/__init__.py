from controller.devices.admin.panels import register_panel
from controller.monitoring.admin.checks import CheckAdmin
from controller.monitoring.admin.device_tab import monitoring_of
from controller.monitoring.admin.gateways import MonitoredGatewayAdmin
from controller.monitoring.admin.limits import SilenceAdmin, ThresholdAdmin
from controller.monitoring.admin.sessions import WifiSessionAdmin
from controller.monitoring.admin.uplinks import MonitoredDeviceAdmin

register_panel("monitoring", monitoring_of)

__all__ = [
    "CheckAdmin",
    "MonitoredDeviceAdmin",
    "MonitoredGatewayAdmin",
    "SilenceAdmin",
    "ThresholdAdmin",
    "WifiSessionAdmin",
]
