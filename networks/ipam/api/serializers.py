from typing import Any

from rest_framework import serializers

from controller.accounts.api.serializers import OrganizationField, VisibleRelatedField
from controller.dialects.fields import IpAddressField
from networks.ipam.models import IpAddress, Subnet
from networks.ipam.rules import Host


class SubnetSerializer(serializers.ModelSerializer[Subnet]):
    organization = OrganizationField(required=False, allow_null=True, default=None)
    master_subnet = VisibleRelatedField(
        queryset=Subnet.objects.all(), required=False, allow_null=True
    )

    class Meta:
        model = Subnet
        fields = [
            "id", "created", "modified", "name", "subnet", "description", "organization",
            "master_subnet",
        ]  # fmt: skip
        # The rule reports overlaps with names, so no uniqueness validators here.
        validators: list[Any] = []


class AddressSerializer(serializers.ModelSerializer[IpAddress]):
    subnet = VisibleRelatedField(queryset=Subnet.objects.all())
    ip_address = IpAddressField()

    class Meta:
        model = IpAddress
        fields = ["id", "created", "modified", "ip_address", "description", "subnet"]
        validators: list[Any] = []


class RequestSerializer(serializers.Serializer[Any]):
    # The subnet comes from the path; OpenWISP clients send it in the body too.
    subnet = VisibleRelatedField(queryset=Subnet.objects.all(), required=False)
    description = serializers.CharField(max_length=100, required=False, allow_blank=True)


class HostSerializer(serializers.Serializer[Host]):
    address = serializers.CharField()
    used = serializers.BooleanField()
    reserved = serializers.BooleanField()
    ip_address_id = serializers.UUIDField(allow_null=True)


class AllocationSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    used = serializers.IntegerField()
    reserved = serializers.IntegerField()
    available = serializers.IntegerField()


class ImportSerializer(serializers.Serializer[Any]):
    csvfile = serializers.FileField()
