from typing import Any

from rest_framework.mixins import CreateModelMixin
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from controller.accounts.rules import authorize
from controller.dialects.openwisp import OwnedViewSet, require_user
from controller.firmware.api.filters.rollouts import ImageRequestFilter
from controller.firmware.api.serializers.image_requests import CustomImageSerializer
from controller.firmware.models import ImageRequest
from controller.firmware.rules import custom_images


class ImageRequestViewSet(CreateModelMixin, ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Custom images that a sysupgrade server is asked for."""

    queryset = ImageRequest.objects.order_by("-created")
    resource = "firmware"
    filterset_class = ImageRequestFilter
    serializer_class = CustomImageSerializer

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values, user = serializer.validated_data, require_user(self.request)
        authorize(user, "firmware:create", values["build"].owner_id)
        serializer.instance = custom_images.request_image(author=user, **values)
