"""What Django REST framework does unless a view says otherwise."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "controller.dialects.authentication.TokenAuthentication",
        "controller.dialects.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PARSER_CLASSES": [
        "controller.dialects.parsers.JSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_RENDERER_CLASSES": [
        "controller.dialects.renderers.JSONRenderer",
        "controller.dialects.forms.PageRenderer",
    ],
    "DEFAULT_METADATA_CLASS": "controller.dialects.forms.Metadata",
    "DEFAULT_SCHEMA_CLASS": "controller.dialects.openapi.postprocessing.Operations",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
