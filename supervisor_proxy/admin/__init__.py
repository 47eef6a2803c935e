from controller.devices.admin.panels import register_panel
from supervisor_proxy.admin import backups, calls, homes, supervisors
from supervisor_proxy.admin.home_tab import home_of
from supervisor_proxy.admin.supervisors import supervisor_of

register_panel("supervisor", supervisor_of)
register_panel("home", home_of)

__all__ = ["backups", "calls", "homes", "supervisors"]
