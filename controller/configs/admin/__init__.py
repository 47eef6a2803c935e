"""Templates, the editors of configurations, their preview, rollouts, and the dashboard."""

from controller.configs.admin.bulk_operations import DeviceBatchAdmin
from controller.configs.admin.enrollments import EnrollmentAdmin
from controller.configs.admin.rollouts import RolloutAdmin
from controller.configs.admin.templates import TemplateAdmin

__all__ = ["DeviceBatchAdmin", "EnrollmentAdmin", "RolloutAdmin", "TemplateAdmin"]
