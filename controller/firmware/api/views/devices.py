from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from controller.base.errors import NotFound
from controller.devices.api.views import OfDevice
from controller.devices.models import Device
from controller.dialects.openwisp import HasResourcePermission, View, require_user
from controller.firmware.api.serializers.operations import (
    DeviceFirmwareSerializer,
    DeviceSystemSerializer,
)
from controller.firmware.models import DeviceFirmware, DeviceSystem, Upgrade
from controller.firmware.rules.upgrades import DEACTIVATED, assign_image


class OfKnownDevice(OfDevice):
    """Mixin that refuses unknown devices in the words of OpenWISP's firmware upgrader."""

    @cached_property
    def device(self) -> Device:
        try:
            return super().device
        except Http404 as error:
            raise NotFound("device not found") from error


class OneOfDevice(OfKnownDevice, View):
    """Something that a device has once."""

    resource = "firmware"
    permissions: dict[str, str] = {}
    permission_classes = [HasResourcePermission]
    action = ""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.action = (request.method or "").lower()
        try:
            super().initial(request, *args, **kwargs)
        except PermissionDenied:
            if self.device.is_deactivated:
                raise PermissionDenied(DEACTIVATED) from None
            raise


class DeviceFirmwareView(OneOfDevice):
    """Image assigned to a device. Assigning another one upgrades the device."""

    permissions = {"put": "firmware:upgrade", "patch": "firmware:upgrade"}

    def row(self) -> DeviceFirmware:
        found: DeviceFirmware | None = DeviceFirmware.objects.filter(device=self.device).first()
        if found is None:
            raise NotFound("No DeviceFirmware matches the given query.")
        return found

    @extend_schema(responses=DeviceFirmwareSerializer)
    def get(self, request: Request, device_id: UUID) -> Response:
        return self.shown(self.row())

    @extend_schema(
        request=DeviceFirmwareSerializer,
        responses={200: DeviceFirmwareSerializer, 201: DeviceFirmwareSerializer},
    )
    def put(self, request: Request, device_id: UUID) -> Response:
        return self.assign(request)

    @extend_schema(request=DeviceFirmwareSerializer, responses=DeviceFirmwareSerializer)
    def patch(self, request: Request, device_id: UUID) -> Response:
        row = self.row()
        if isinstance(request.data, Mapping) and "image" not in request.data:
            return self.shown(row)
        return self.assign(request)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, device_id: UUID) -> Response:
        self.row().delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def assign(self, request: Request) -> Response:
        given = DeviceFirmwareSerializer(data=request.data, context={"request": request})
        given.is_valid(raise_exception=True)
        row, is_new = assign_image(
            self.device, given.validated_data["image"],
            options=given.validated_data.get("upgrade_options"), author=require_user(request),
        )  # fmt: skip
        newest = Upgrade.objects.filter(device=self.device).order_by("-created").first()
        operation = {"upgrade_operation": {"id": newest.pk}} if newest else {}
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return self.shown(row, code, **operation)

    def shown(
        self, row: DeviceFirmware, code: int = status.HTTP_200_OK, **more: Any
    ) -> Response:
        shown = DeviceFirmwareSerializer(row, context={"request": self.request}).data
        return Response(shown | more, code)


class DeviceSystemView(OneOfDevice):
    """What a device reported about its firmware and memory."""

    @extend_schema(responses=DeviceSystemSerializer)
    def get(self, request: Request, device_id: UUID) -> Response:
        found = DeviceSystem.objects.filter(device=self.device).first()
        if found is None:
            raise NotFound("The device has not been read yet.")
        return Response(DeviceSystemSerializer(found).data)
