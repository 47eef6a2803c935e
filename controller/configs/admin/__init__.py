"""Templates, the editors of configurations, their preview, and the dashboard."""

from controller.configs.admin.templates import TemplateAdmin

__all__ = ["TemplateAdmin"]
