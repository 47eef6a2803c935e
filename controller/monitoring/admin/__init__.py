from controller.devices.admin.panels import register_panel
from controller.monitoring.admin.device_tab import monitoring_of
from controller.monitoring.admin.limits import SilenceAdmin, ThresholdAdmin
from controller.monitoring.admin.sessions import WifiSessionAdmin

register_panel("monitoring", monitoring_of)

__all__ = ["SilenceAdmin", "ThresholdAdmin", "WifiSessionAdmin"]
