"""Serializers of overlay networks in Muster's own API."""

from datetime import datetime
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controller.devices.models import Device
from controller.dialects.openapi.shapes import OBJECT, OBJECTS, TEXTS
from networks.overlay.models import JoinCode, Member, MemberSubnet, Network, Node, Pair, Share
from networks.overlay.rules import networks, presence, shares
from networks.overlay.rules.direct_path_status import Way


class NodeSerializer(serializers.ModelSerializer[Node]):
    online = serializers.SerializerMethodField()

    class Meta:
        model = Node
        fields = (
            "id", "name", "address", "public_key", "key_mode", "port", "endpoint",
            "is_fully_managed", "is_relay", "device", "online", "evidence", "checked_at",
            "last_seen", "last_handshake", "observed", "latency", "revision", "created",
        )  # fmt: skip
        read_only_fields = tuple(
            name
            for name in fields
            if name not in {"name", "endpoint", "port", "is_fully_managed"}
        )

    def get_online(self, row: Node) -> bool | None:
        return presence.online(row)


class MemberSerializer(serializers.ModelSerializer[Member]):
    shapes = {"tags": TEXTS}

    node = NodeSerializer(read_only=True)

    class Meta:
        model = Member
        fields = ("id", "node", "ipv4_address", "state", "tags", "expires_at", "created")
        read_only_fields = ("id", "node", "ipv4_address", "state", "created")


class WayEnd(serializers.ModelSerializer[Node]):
    class Meta:
        model = Node
        fields = ("id", "name", "address")
        read_only_fields = fields


class WaySerializer(serializers.ModelSerializer[Pair]):
    """Path between two members, and the reason if it is not direct."""

    members = serializers.SerializerMethodField()
    kind = serializers.SerializerMethodField(
        help_text="Of a direct way: lan, v6, fixed, mapped or observed."
    )
    round_trip_ms = serializers.SerializerMethodField()
    loss_percent = serializers.SerializerMethodField(help_text="Of a direct way's probes.")
    handshake_at = serializers.SerializerMethodField()
    sent_bytes = serializers.SerializerMethodField(
        help_text="Bytes that each of both has sent on the direct way."
    )
    sentence = serializers.SerializerMethodField(help_text="Why the way is what it is.")
    endpoints = serializers.SerializerMethodField(
        help_text="Addresses of both, for those who manage the network."
    )

    class Meta:
        model = Pair
        fields = (
            "id", "members", "state", "kind", "since", "round_trip_ms", "loss_percent",
            "handshake_at", "sent_bytes", "tries", "next_try",
            "used", "reason", "sentence", "endpoints",
        )  # fmt: skip
        read_only_fields = fields

    def way(self, row: Pair) -> Way:
        found: Way = self.context["ways"][row.pk]
        return found

    @extend_schema_field(WayEnd(many=True))
    def get_members(self, row: Pair) -> Any:
        return WayEnd([row.low, row.high], many=True).data

    def get_kind(self, row: Pair) -> str:
        return self.way(row).kind

    def get_round_trip_ms(self, row: Pair) -> float | None:
        return self.way(row).round_trip

    def get_loss_percent(self, row: Pair) -> int | None:
        return self.way(row).loss

    def get_handshake_at(self, row: Pair) -> datetime | None:
        return self.way(row).handshake

    def get_sent_bytes(self, row: Pair) -> list[int]:
        return list(self.way(row).sent or ())

    def get_sentence(self, row: Pair) -> str:
        return self.way(row).sentence

    def get_endpoints(self, row: Pair) -> list[str]:
        return list(self.way(row).endpoints) if self.context["manages"] else []


class MemberSubnetSerializer(serializers.ModelSerializer[MemberSubnet]):
    """A subnet behind a member; routed once it is approved."""

    name = serializers.CharField(required=False, max_length=63)
    member_name = serializers.CharField(source="member.node.name", read_only=True)

    class Meta:
        model = MemberSubnet
        fields = (
            "id", "member", "member_name", "name", "lan", "prefix", "masquerade", "is_announced",
            "approved_at", "created",
        )  # fmt: skip
        read_only_fields = (
            "id", "member_name", "prefix", "is_announced", "approved_at", "created",
        )  # fmt: skip
        # The rule checks them with the network's other subnets.
        validators: ClassVar[list[Any]] = []

    def get_fields(self) -> Any:
        fields = super().get_fields()
        network = self.context.get("network")
        rows = (
            Member.objects.none() if network is None else network.members.select_related("node")
        )
        fields["member"] = serializers.PrimaryKeyRelatedField(queryset=rows)
        return fields


class SubnetApproval(serializers.Serializer[Any]):
    prefix = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=43,
        help_text="Range as which members reach the subnet; auto for a free one, empty for its own.",
    )  # fmt: skip


class NewMember(serializers.Serializer[Any]):
    """A device to add: exactly one of device id, own node's address or claim link."""

    address = serializers.CharField(required=False)
    link = serializers.CharField(required=False)
    name = serializers.CharField(required=False, default="")
    is_fully_managed = serializers.BooleanField(required=False, default=False)

    def get_fields(self) -> Any:
        user = self.context.get("user")
        rows = Device.objects.visible_to(user) if user else Device.objects.none()
        device = serializers.PrimaryKeyRelatedField(queryset=rows, required=False)
        return super().get_fields() | {"device": device}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(name in attrs for name in ("device", "address", "link")) != 1:
            raise serializers.ValidationError("One of device, address and link is expected.")
        return attrs


class JoinCodeSerializer(serializers.ModelSerializer[JoinCode]):
    code = serializers.SerializerMethodField()
    is_good = serializers.BooleanField(read_only=True)

    class Meta:
        model = JoinCode
        fields = (
            "id", "code", "label", "uses", "max_uses", "expires_at", "needs_approval",
            "is_default", "is_good", "created",
        )  # fmt: skip
        read_only_fields = ("id", "code", "uses", "is_default", "created")

    def get_code(self, row: JoinCode) -> str:
        return f"{self.context['relay'].address}/{row.secret}"


class ShareSerializer(serializers.ModelSerializer[Share]):
    is_pending = serializers.SerializerMethodField()

    class Meta:
        model = Share
        fields = ("id", "email", "permissions", "is_pending", "accepted_at")
        read_only_fields = ("id", "is_pending", "accepted_at")

    def get_is_pending(self, row: Share) -> bool:
        return row.user_id is None


class NetworkSerializer(serializers.ModelSerializer[Network]):
    owner = serializers.EmailField(source="owner.email", read_only=True)
    role = serializers.SerializerMethodField()
    member_count = serializers.IntegerField(read_only=True)
    share_token = serializers.SerializerMethodField()

    class Meta:
        model = Network
        fields = (
            "id", "name", "slug", "owner", "role", "member_count", "master", "ipv4_range",
            "has_resolver", "share_token", "refreshed", "created", "modified",
        )  # fmt: skip
        read_only_fields = ("id", "slug", "refreshed", "created", "modified")

    def get_role(self, row: Network) -> str:
        user = self.context["user"]
        if user.is_superuser or row.owner_id == user.pk:
            return "owner"
        return "admin" if row.pk in self.context["administered"] else "member"

    def get_share_token(self, row: Network) -> str | None:
        return None if self.get_role(row) == "member" else networks.share_token(row)


class PolicySerializer(serializers.Serializer[Any]):
    shapes = {"policy": OBJECT, "tests": OBJECTS}

    policy = serializers.JSONField()
    tests = serializers.JSONField(required=False)


class RenewalLink(serializers.Serializer[Any]):
    link = serializers.CharField(help_text="Shown once. Whoever has it gets the configuration.")


class MatrixSerializer(serializers.Serializer[Any]):
    members = serializers.ListField(child=serializers.CharField())
    rows = serializers.ListField(
        child=serializers.ListField(
            child=serializers.ChoiceField(choices=["all", "some", "none", "self"])
        )
    )
    ways = serializers.ListField(
        child=serializers.ListField(
            child=serializers.ChoiceField(choices=["direct", "relay", ""])
        ),
        help_text="How those that talk reach each other; empty for others.",
    )


class Invitation(serializers.Serializer[Any]):
    token = serializers.CharField()


class InvitationSerializer(serializers.ModelSerializer[Share]):
    """Open invitation, for the person it is addressed to."""

    network = serializers.CharField(source="network.name", read_only=True)
    owner = serializers.EmailField(source="network.owner.email", read_only=True)
    token = serializers.SerializerMethodField(help_text="For `accept` and `decline`.")

    class Meta:
        model = Share
        fields = ("network", "owner", "email", "permissions", "token", "created")
        read_only_fields = fields

    def get_token(self, row: Share) -> str:
        return shares.token_of(row)


class NewPhone(serializers.Serializer[Any]):
    name = serializers.CharField()
    system = serializers.ChoiceField(
        choices=["app", "linux"], default="app",
        help_text="app: WireGuard's own apps. linux: wg-quick, which finds names by DNS too.",
    )  # fmt: skip


class Phone(serializers.Serializer[Any]):
    """WireGuard configuration of a phone as text and QR code (SVG); shown only once."""

    member = MemberSerializer()
    config = serializers.CharField()
    qr = serializers.CharField()


class RelaySerializer(serializers.ModelSerializer[Node]):
    device = serializers.PrimaryKeyRelatedField(queryset=Device.objects.all(), allow_null=True)

    class Meta:
        model = Node
        fields = ("address", "public_key", "device", "endpoint", "port", "online", "checked_at")
        read_only_fields = ("address", "public_key", "online", "checked_at")


class RelayRowSerializer(serializers.ModelSerializer[Node]):
    """One of several relays. The first may be a host outside the inventory."""

    device = serializers.PrimaryKeyRelatedField(queryset=Device.objects.all(), allow_null=True)

    class Meta:
        model = Node
        fields = (
            "id", "name", "address", "public_key", "device", "endpoint", "port", "online",
            "checked_at",
        )  # fmt: skip
        read_only_fields = ("id", "name", "address", "public_key", "online", "checked_at")

    def validate_device(self, value: Device | None) -> Device:
        if value is None:
            raise serializers.ValidationError("Choose a device of the inventory.")
        return value
