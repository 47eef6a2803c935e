from controller.monitoring.admin.limits import SilenceAdmin, ThresholdAdmin
from controller.monitoring.admin.sessions import WifiSessionAdmin

__all__ = ["SilenceAdmin", "ThresholdAdmin", "WifiSessionAdmin"]
