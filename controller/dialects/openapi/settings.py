"""Settings of drf-spectacular."""

SPECTACULAR_SETTINGS = {
    "TITLE": "Muster",
    "DESCRIPTION": "One inventory, one permission model and one audit trail for a mixed fleet.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    # Answers and bodies differ in what is required, read-only and null.
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVE_INCLUDE_SCHEMA": False,
    # JavaScript, for it opens the first area: all at once would take long to draw.
    "SWAGGER_UI_SETTINGS": """{
        plugins: [window.portalDocumentation],
        docExpansion: "none", deepLinking: true, defaultModelsExpandDepth: -1, filter: true,
        onComplete: () => document.querySelector(".opblock-tag")?.click(),
    }""",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "supervisor_proxy.api.document.views.add_calls",
        "controller.dialects.openapi.postprocessing.describe",
    ],
    "ENUM_NAME_OVERRIDES": {
        "HealthEnum": "controller.monitoring.api.filters.HEALTH_CHOICES",
        "UpgradeStateEnum": "controller.firmware.models.Upgrade.State",
        "FirmwareVendorEnum": "controller.firmware.engine.vendors.CHOICES",
        "RolloutStateEnum": "controller.configs.models.waves.WaveRollout.State",
        "SnapshotStateEnum": "controller.configs.models.Snapshot.State",
        "LocationTypeEnum": "geo.models.Location.Type",
        "BackendEnum": "controller.configs.models.Backend",
        "RoleEnum": "controller.accounts.models.Membership.Role",
        "WebClientRoleEnum": "controller.accounts.api.web_client.serializers.ROLES",
        "NotificationTypeEnum": "controller.notifications.models.KIND_CHOICES",
        "VpnBackendEnum": "controller.vpn.models.Vpn.Backend",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
