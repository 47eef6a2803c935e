from typing import Any

from rest_framework import serializers

from controller.accounts.api.serializers import OrganizationField, VisibleRelatedField
from controller.dialects.fields import JSONObjectField, SecretCharField
from controller.dialects.masking import MasksSecrets
from controller.vpn.models import Vpn
from networks.ipam.models import Subnet
from pki.models import Ca, Cert


class VpnList(MasksSecrets, serializers.ModelSerializer[Vpn]):
    organization = OrganizationField(required=False, allow_null=True, default=None)
    ca = VisibleRelatedField(queryset=Ca.objects.all(), required=False, allow_null=True)
    cert = VisibleRelatedField(
        queryset=Cert.objects.all(), required=False, allow_null=True,
        help_text="Leave empty to create one.",
    )  # fmt: skip
    subnet = VisibleRelatedField(
        queryset=Subnet.objects.all(), required=False, allow_null=True,
        help_text="Subnet that gives the clients their addresses, if the protocol needs one.",
    )  # fmt: skip
    key = SecretCharField(required=False, allow_blank=True, max_length=64)
    config = JSONObjectField()

    class Meta:
        model = Vpn
        fields = [
            "id", "name", "host", "organization", "key", "ca", "cert", "backend", "subnet", "ip",
            "notes", "dh", "config", "created", "modified",
        ]  # fmt: skip
        read_only_fields = ["ip"]
        # PEM ends in a newline.
        extra_kwargs = {"dh": {"trim_whitespace": False}}
        # Left to the rules, which report duplicates under the field.
        validators: list[Any] = []


class VpnDetail(VpnList):
    auth_token = serializers.CharField(
        required=False, allow_blank=True, allow_null=True, max_length=128,
        help_text=Vpn._meta.get_field("auth_token").help_text,
    )  # fmt: skip

    class Meta(VpnList.Meta):
        fields = [
            *VpnList.Meta.fields[:10], "webhook_endpoint", "auth_token", *VpnList.Meta.fields[10:],
        ]  # fmt: skip
