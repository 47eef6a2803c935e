"""Admin of devices and their groups, templates, rollouts, enrollments and bulk operations."""

from controller.configs.admin.bulk_operations import DeviceBatchAdmin
from controller.configs.admin.devices import DeviceAdmin
from controller.configs.admin.enrollments import EnrollmentAdmin
from controller.configs.admin.groups import DeviceGroupAdmin
from controller.configs.admin.rollouts import RolloutAdmin
from controller.configs.admin.templates import TemplateAdmin

__all__ = [
    "DeviceAdmin",
    "DeviceBatchAdmin",
    "DeviceGroupAdmin",
    "EnrollmentAdmin",
    "RolloutAdmin",
    "TemplateAdmin",
]
