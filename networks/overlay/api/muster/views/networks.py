"""Networks, members, join codes, shares and policies in Muster's own API."""

from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet, ModelViewSet

from controller.accounts.models import User
from controller.base.errors import NotPermitted
from controller.configs.rules import overlay_sync
from controller.dialects.openwisp import Pagination, View, require_user
from networks.overlay import rules
from networks.overlay.api.muster.filters import MemberFilter, NetworkFilter
from networks.overlay.api.muster.serializers import (
    Invitation,
    InvitationSerializer,
    JoinCodeSerializer,
    MatrixSerializer,
    MemberSerializer,
    NetworkSerializer,
    NewMember,
    NewPhone,
    NodeSerializer,
    Phone,
    PolicySerializer,
    RelaySerializer,
    RenewalLink,
    ShareSerializer,
)
from networks.overlay.engine.qr_codes import qr_code
from networks.overlay.models import JoinCode, Member, Network, Node, Share
from networks.overlay.rules import join_codes, networks, plans, renewal_links

CREATED, NO_CONTENT = 201, 204
READS = ("GET", "HEAD", "OPTIONS")


class MeshView(View, GenericViewSet[Any]):
    """Base of views on the user's own networks and those shared with the user."""

    permission_classes = [IsAuthenticated]
    pagination_class = Pagination

    @property
    def user(self) -> User:
        return require_user(self.request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        rules.check_scope(
            self.user, f"network:{'read' if request.method in READS else 'update'}"
        )

    def get_serializer_context(self) -> dict[str, Any]:
        found = dict(super().get_serializer_context())
        if getattr(self, "swagger_fake_view", False):
            return found
        return found | {
            "user": self.user,
            "administered": networks.administered(self.user),
            "relay": plans.relay(),
        }


class NetworkViewSet(MeshView, ModelViewSet[Network]):
    queryset = Network.objects.select_related("owner").order_by("pk")
    serializer_class = NetworkSerializer
    filterset_class = NetworkFilter
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Network]:
        if getattr(self, "swagger_fake_view", False):
            return Network.objects.none()
        active = Count("members", filter=Q(members__state=Member.State.ACTIVE))
        rows: QuerySet[Network] = super().get_queryset().visible_to(self.user)  # type: ignore[attr-defined]
        return rows.annotate(member_count=active)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        made = rules.create_network(self.user, name=serializer.validated_data["name"])
        serializer.instance = self.get_queryset().get(pk=made.pk)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        values = dict(serializer.validated_data)
        if "master" in values:
            values["master"] = values["master"] and values["master"].pk
        serializer.instance = rules.update_network(self.get_object(), by=self.user, **values)

    def perform_destroy(self, instance: Network) -> None:
        rules.delete_network(instance, by=self.user)

    @extend_schema(request=None, responses=NetworkSerializer)
    @action(detail=True, methods=["post"])
    def refresh(self, request: Request, pk: str) -> Response:
        """Refresh the presence of all members now. Takes at most 3.5 seconds."""
        network = self.get_object()
        rules.refresh(network)
        return Response(self.get_serializer(network).data)

    @extend_schema(methods=["GET"], responses=PolicySerializer)
    @extend_schema(methods=["PUT"], request=PolicySerializer, responses=PolicySerializer)
    @action(detail=True, methods=["get", "put"])
    def policy(self, request: Request, pk: str) -> Response:
        """Read or replace the policy and its tests. The tests must pass to store a policy."""
        network = self.get_object()
        if request.method == "PUT":
            shape = PolicySerializer(data=request.data)
            shape.is_valid(raise_exception=True)
            rules.set_policy(network, by=self.user, **shape.validated_data)
        return Response({"policy": network.policy, "tests": network.policy_tests})

    @extend_schema(methods=["GET"], responses=MatrixSerializer)
    @extend_schema(methods=["POST"], request=PolicySerializer, responses=MatrixSerializer)
    @action(detail=True, methods=["get", "post"])
    def matrix(self, request: Request, pk: str) -> Response:
        """Return the reachability matrix. POST a policy to preview its matrix."""
        network = self.get_object()
        if request.method == "GET":
            return Response(rules.matrix(network))
        shape = PolicySerializer(data=request.data)
        shape.is_valid(raise_exception=True)
        return Response(rules.matrix(network, policy=shape.validated_data["policy"]))

    @extend_schema(request=None, responses=NetworkSerializer)
    @action(detail=True, methods=["post"], url_path="rotate-share-token")
    def rotate_share_token(self, request: Request, pk: str) -> Response:
        """Replace the share token. Earlier invitations become invalid."""
        network = rules.rotate_share_token(self.get_object(), by=self.user)
        return Response(self.get_serializer(network).data)

    @extend_schema(request=None, responses=JoinCodeSerializer)
    @action(detail=True, methods=["post"], url_path="rotate-join-code")
    def rotate_join_code(self, request: Request, pk: str) -> Response:
        """Replace the default join code."""
        code = rules.rotate_code(self.get_object(), by=self.user)
        return Response(JoinCodeSerializer(code, context=self.get_serializer_context()).data)

    @extend_schema(request=NewPhone, responses={201: Phone})
    @action(detail=True, methods=["post"])
    def phone(self, request: Request, pk: str) -> Response:
        """Add a phone. Its configuration and QR code are shown only once."""
        network = self.get_object()
        shape = NewPhone(data=request.data)
        shape.is_valid(raise_exception=True)
        member, text = join_codes.static_member(network, by=self.user, **shape.validated_data)
        shown = MemberSerializer(member, context=self.get_serializer_context()).data
        return Response({"member": shown, "config": text, "qr": qr_code(text)}, status=CREATED)

    @extend_schema(responses=InvitationSerializer(many=True), filters=False)
    @action(detail=False, methods=["get"], filterset_class=None)
    def invitations(self, request: Request) -> Response:
        """List the invitations to your verified addresses that wait for your answer."""
        page = self.paginate_queryset(rules.waiting_for(self.user))
        return self.get_paginated_response(InvitationSerializer(page, many=True).data)

    @extend_schema(request=Invitation, responses={204: None})
    @action(detail=False, methods=["post"])
    def decline(self, request: Request) -> Response:
        """Decline an invitation to one address (its token)."""
        shape = Invitation(data=request.data)
        shape.is_valid(raise_exception=True)
        rules.decline(self.user, shape.validated_data["token"])
        return Response(status=NO_CONTENT)

    @extend_schema(request=Invitation, responses=NetworkSerializer)
    @action(detail=False, methods=["post"])
    def accept(self, request: Request) -> Response:
        """Accept an invitation (its token, or a share token): become a member of its network."""
        shape = Invitation(data=request.data)
        shape.is_valid(raise_exception=True)
        network = rules.accept(self.user, shape.validated_data["token"])
        return Response(self.get_serializer(self.get_queryset().get(pk=network.pk)).data)

    @extend_schema(methods=["GET"], responses=RelaySerializer)
    @extend_schema(methods=["PUT"], request=RelaySerializer, responses=RelaySerializer)
    @action(detail=False, methods=["get", "put"])
    def relay(self, request: Request) -> Response:
        """Read or set the relay, the device that forwards traffic without a direct path."""
        hub = plans.relay()
        if not self.user.is_superuser:
            raise NotPermitted("Only a superuser sees and chooses the relay.")
        if request.method == "PUT":
            shape = RelaySerializer(hub, data=request.data)
            shape.is_valid(raise_exception=True)
            hub = overlay_sync.set_relay(by=self.user, **shape.validated_data)
        return Response(RelaySerializer(hub).data)


class PartView(MeshView):
    """Base of views on the rows of one network."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.network()  # raise 404 before validating the request body

    def network(self, action: Any = "see") -> Network:
        rows = Network.objects.select_related("owner").visible_to(self.user)
        network: Network = get_object_or_404(rows, pk=self.kwargs["network"])
        rules.check(self.user, network, action)
        return network

    def get_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows.none()
        return rows.filter(network=self.network(self.reading))

    reading = "see"


class MemberViewSet(PartView, ModelViewSet[Member]):
    queryset = Member.objects.select_related("node", "network__owner").order_by("pk")
    serializer_class = MemberSerializer
    filterset_class = MemberFilter
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    @extend_schema(request=NewMember, responses={201: MemberSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        shape = NewMember(data=request.data, context=self.get_serializer_context())
        shape.is_valid(raise_exception=True)
        network, values = self.network("add_member"), dict(shape.validated_data)
        if "device" in values:
            member = rules.add_device(network, by=self.user, **values)
        elif "link" in values:
            member = rules.add_by_link(network, by=self.user, **values)
        else:
            member = rules.add_by_id(network, by=self.user, address=values["address"])
        return Response(self.get_serializer(member).data, status=CREATED)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        serializer.instance = rules.update_member(
            self.get_object(), by=self.user, **serializer.validated_data
        )

    def perform_destroy(self, instance: Member) -> None:
        rules.remove_member(instance, by=self.user)

    @extend_schema(request=None, responses=MemberSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, **_: str) -> Response:
        """Approve a pending member."""
        return Response(
            self.get_serializer(rules.approve(self.get_object(), by=self.user)).data
        )

    @extend_schema(request=None, responses=Phone)
    @action(detail=True, methods=["post"])
    def reissue(self, request: Request, **_: str) -> Response:
        """Issue a phone's configuration again, with a new key. The old one ends at once."""
        member = self.get_object()
        text = join_codes.reissue(member, by=self.user)
        return Response(
            {"member": self.get_serializer(member).data, "config": text, "qr": qr_code(text)}
        )

    @extend_schema(methods=["POST"], request=None, responses={CREATED: RenewalLink})
    @extend_schema(methods=["DELETE"], responses={NO_CONTENT: None})
    @action(detail=True, methods=["post", "delete"], url_path="renewal-link")
    def renewal_link(self, request: Request, **_: str) -> Response:
        """Make or end the link that keeps a fixed configuration current without signing in."""
        member = self.get_object()
        if request.method == "DELETE":
            renewal_links.revoke_link(member, by=self.user)
            return Response(status=NO_CONTENT)
        token = renewal_links.create_link(member, by=self.user)
        base = settings.MUSTER_PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
        return Response({"link": f"{base}{reverse('renewal', args=[token])}"}, status=CREATED)


class CodeViewSet(PartView, ModelViewSet[JoinCode]):
    queryset = (
        JoinCode.objects.filter(revoked=None).select_related("network__owner").order_by("pk")
    )
    serializer_class = JoinCodeSerializer
    http_method_names = ["get", "post", "delete", "head", "options"]

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        serializer.instance = join_codes.create_code(
            self.network(), by=self.user, **serializer.validated_data
        )

    def perform_destroy(self, instance: JoinCode) -> None:
        join_codes.revoke_code(instance, by=self.user)


class ShareViewSet(PartView, ModelViewSet[Share]):
    queryset = Share.objects.select_related("network__owner").order_by("pk")
    serializer_class = ShareSerializer
    http_method_names = ["get", "post", "delete", "head", "options"]

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        serializer.instance = rules.add_share(
            self.network(), by=self.user, **serializer.validated_data
        )

    def perform_destroy(self, instance: Share) -> None:
        rules.remove_share(instance.network, by=self.user, email=instance.email)


class NodeViewSet(MeshView, ModelViewSet[Node]):
    """The user's own nodes and the nodes of networks visible to the user."""

    queryset = Node.objects.order_by("pk")
    serializer_class = NodeSerializer
    http_method_names = ["get", "patch", "head", "options"]

    def get_queryset(self) -> QuerySet[Node]:
        if getattr(self, "swagger_fake_view", False):
            return Node.objects.none()
        rows: QuerySet[Node] = super().get_queryset().visible_to(self.user)  # type: ignore[attr-defined]
        return rows

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        serializer.instance = rules.update_node(
            self.get_object(),
            by=self.user,
            **serializer.validated_data,
        )
