from typing import Any

from rest_framework.serializers import BaseSerializer

from controller.dialects.openwisp import RuleViewSet, require_user
from controller.monitoring.api.filters import SilenceFilter, ThresholdFilter
from controller.monitoring.api.serializers import SilenceSerializer, ThresholdSerializer
from controller.monitoring.models import Silence, Threshold
from controller.monitoring.rules import limits, silences


class ThresholdViewSet(RuleViewSet):
    """Limits of metrics. The nearest to a device is in force: its own, its group's, and so on."""

    queryset = Threshold.objects.select_related("organization", "group", "device")
    resource = "monitoring"
    filterset_class = ThresholdFilter
    serializer_class = ThresholdSerializer
    create_rule = staticmethod(limits.create_threshold)
    update_rule = staticmethod(limits.update_threshold)
    delete_rule = staticmethod(limits.delete_threshold)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        serializer.validated_data.setdefault("organization", None)
        super().perform_create(serializer)


class SilenceViewSet(RuleViewSet):
    """Maintenance windows: devices are judged as ever, and nobody is told."""

    queryset = Silence.objects.select_related("organization", "site", "group", "device")
    resource = "monitoring"
    filterset_class = SilenceFilter
    serializer_class = SilenceSerializer
    create_rule = staticmethod(silences.create_silence)
    update_rule = staticmethod(silences.update_silence)
    delete_rule = staticmethod(silences.delete_silence)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        serializer.validated_data["author"] = require_user(self.request)
        super().perform_create(serializer)
