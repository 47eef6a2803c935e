"""Serializers of the Husarnet Dashboard API, with the keys of its documentation."""

from typing import Any

from rest_framework import serializers

from controller.accounts.models import User
from networks.overlay.models import Member, Network, Node, Share
from networks.overlay.rules import join_codes, presence
from networks.overlay.rules import networks as meshes


class NetworkShape(serializers.ModelSerializer[Network]):
    """A network in a list; `owner` is the account's number."""

    url = serializers.SerializerMethodField()
    owner = serializers.IntegerField(source="owner.network_account.pk")
    share_token = serializers.SerializerMethodField()
    join_code = serializers.SerializerMethodField()

    class Meta:
        model = Network
        fields: tuple[str, ...] = ("url", "owner", "name", "share_token", "join_code")

    def get_url(self, row: Network) -> str:
        return f"/api/network/{row.pk}"

    def get_share_token(self, row: Network) -> str | None:
        """Return the share token, or null for members, who cannot share."""
        user: User = self.context["user"]
        may_share = (
            user.is_superuser
            or row.owner_id == user.pk
            or row.pk in self.context["administered"]
        )
        return meshes.share_token(row) if may_share else None

    def get_join_code(self, row: Network) -> str:
        codes = [one for one in row.codes.all() if one.is_default]
        return join_codes.join_code(codes[0], self.context["relay"]) if codes else ""


class ShareShape(serializers.ModelSerializer[Share]):
    class Meta:
        model = Share
        fields = ("email", "permissions")


class MemberShape(serializers.ModelSerializer[Member]):
    name = serializers.CharField(source="node.name")
    online = serializers.SerializerMethodField()

    class Meta:
        model = Member
        fields = ("id", "name", "online")

    def get_fields(self) -> Any:
        found = super().get_fields()
        online = found.pop("online")
        return {
            **found,
            "device-id": serializers.CharField(source="node.address"),
            "online": online,
        }

    def get_online(self, row: Member) -> bool | None:
        return presence.online(row.node)


class DetailShape(NetworkShape):
    """A network in detail; `owner` is an e-mail address."""

    owner = serializers.EmailField(source="owner.email")  # type: ignore[assignment]
    shares = ShareShape(many=True)

    class Meta(NetworkShape.Meta):
        fields = ("url", "owner", "name", "share_token", "join_code", "shares")

    def get_fields(self) -> Any:
        return super().get_fields() | {
            "ros-master": serializers.IntegerField(source="master_id", allow_null=True),
            "members": MemberShape(many=True, source="active_members"),
        }


class StatusShape(serializers.ModelSerializer[Node]):
    online = serializers.SerializerMethodField()
    via = serializers.SerializerMethodField()

    class Meta:
        model = Node
        fields = ("name", "online", "via")

    def get_fields(self) -> Any:
        return {
            "device-id": serializers.CharField(source="address"),
            **super().get_fields(),
            "last-seen": serializers.DateTimeField(source="last_seen"),
        }

    def get_online(self, row: Node) -> bool | None:
        return presence.online(row)

    def get_via(self, row: Node) -> str | None:
        return presence.via(row)


class ListShape(serializers.Serializer[Any]):
    networks = NetworkShape(many=True)


class DoneShape(serializers.Serializer[Any]):
    status = serializers.CharField()


class MadeShape(DoneShape):
    network = NetworkShape()


class NewNetwork(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=255)


class ChangedNetwork(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=255, required=False)

    def get_fields(self) -> Any:
        return super().get_fields() | {
            "ros-master": serializers.IntegerField(required=False, allow_null=True)
        }


class Operation(serializers.Serializer[Any]):
    """A membership or share operation; `op` decides which other fields are required."""

    op = serializers.ChoiceField(
        choices=["add-member", "delete-member", "add-share", "remove-share"]
    )
    link = serializers.CharField(
        required=False, help_text="add-member: what the device printed"
    )
    name = serializers.CharField(required=False, help_text="add-member by link: its host name")
    device_id = serializers.CharField(required=False, help_text="add-member: a known device")
    id = serializers.IntegerField(required=False, help_text="delete-member")
    email = serializers.EmailField(required=False, help_text="add-share, remove-share")
    permissions = serializers.ChoiceField(choices=Share.Permissions.choices, required=False)

    def get_fields(self) -> Any:
        return super().get_fields() | {
            "is-fully-managed": serializers.BooleanField(required=False)
        }
