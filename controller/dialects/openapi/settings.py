"""Settings of drf-spectacular."""

SPECTACULAR_SETTINGS = {
    "TITLE": "Muster",
    "DESCRIPTION": "One inventory, one permission model and one audit trail for a mixed fleet.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "controller.dialects.openapi.postprocessing.describe",
    ],
    "ENUM_NAME_OVERRIDES": {
        "RolloutStateEnum": "controller.configs.models.Rollout.State",
        "SnapshotStateEnum": "controller.configs.models.Snapshot.State",
        "LocationTypeEnum": "geo.models.Location.Type",
        "BackendEnum": "controller.configs.models.Backend",
        "NotificationTypeEnum": "controller.notifications.models.KIND_CHOICES",
        "HealthEnum": "controller.monitoring.api.filters.HEALTH_CHOICES",
        "FirmwareRolloutStateEnum": "controller.firmware.models.FirmwareRollout.State",
        "UpgradeStateEnum": "controller.firmware.models.Upgrade.State",
        "VpnBackendEnum": "controller.vpn.models.Vpn.Backend",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
