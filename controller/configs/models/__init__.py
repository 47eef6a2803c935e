"""Models of templates, configurations, snapshots, pushes, rollouts, bulk operations."""

from controller.configs.models.bulk_operations import BULK_ROWS, DeviceBatch, DeviceBatchRow
from controller.configs.models.configurations import (
    PUSHES,
    Backend,
    Config,
    ConfigQuerySet,
    GroupTemplate,
    Push,
    Snapshot,
    Template,
    TemplateUse,
)
from controller.configs.models.rollouts import Rollout, RolloutDevice

__all__ = [
    "BULK_ROWS",
    "PUSHES",
    "Backend",
    "Config",
    "ConfigQuerySet",
    "DeviceBatch",
    "DeviceBatchRow",
    "GroupTemplate",
    "Push",
    "Rollout",
    "RolloutDevice",
    "Snapshot",
    "Template",
    "TemplateUse",
]
