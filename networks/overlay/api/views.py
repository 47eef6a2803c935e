"""Views of the Husarnet Dashboard API."""

import re
from collections.abc import Mapping
from typing import Any

from django.contrib.admin import site
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views import View as Page
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.models import ApiToken, User
from controller.accounts.rules import issue_token
from controller.base.errors import NotFound, Refused
from controller.dialects.husarnet import View
from networks.overlay import rules
from networks.overlay.api.serializers import (
    ChangedNetwork,
    DetailShape,
    DoneShape,
    ListShape,
    MadeShape,
    NetworkShape,
    NewNetwork,
    Operation,
    StatusShape,
)
from networks.overlay.engine.overlay_names import device_id
from networks.overlay.models import JoinCode, Member, Network, Node
from networks.overlay.rules import networks, plans

OK = {"status": "ok"}
TRUE, FALSE = ("1", "true"), ("", "0", "false")
CREATED = 201
TOKEN_NAME = "Husarnet Dashboard API"  # noqa: S105 - what a token is called


def network_rows() -> QuerySet[Network]:
    codes = JoinCode.objects.filter(is_default=True, revoked=None)
    return Network.objects.select_related("owner__network_account").prefetch_related(
        Prefetch("codes", codes)
    )


def detailed(rows: QuerySet[Network]) -> QuerySet[Network]:
    members = Member.objects.active().select_related("node").defer("node__private_key")
    return rows.prefetch_related(
        "shares", Prefetch("members", members.order_by("-pk"), to_attr="active_members")
    )


def person(request: Request) -> User:
    """Return the requesting user."""
    assert isinstance(request.user, User)  # noqa: S101 - the view's permission class
    return request.user


def context(request: Request) -> dict[str, Any]:
    """Return the serializer context of networks, queried once per request."""
    assert isinstance(request.user, User)  # noqa: S101 - the view's permission class
    return {
        "user": request.user,
        "relay": plans.relay(),
        "administered": networks.administered(request.user),
    }


def body(request: Request) -> Mapping[str, Any]:
    if not isinstance(request.data, Mapping):
        raise ParseError("A JSON object is expected.")
    return request.data


def network_for(request: Request, pk: str) -> Network:
    found: Network | None = network_rows().filter(pk=pk).visible_to(person(request)).first()  # type: ignore[attr-defined]
    if found is None:
        raise NotFound("There is no such network.")
    return found


def flag(value: object, name: str) -> bool:
    """Parse a boolean, as JSON or as the text "true"/"false" from forms.

    Raises Refused.
    """
    text = str(value).lower() if isinstance(value, bool | str) else "?"
    if text not in {"true", "false"}:
        raise Refused({name: ["Either true or false."]})
    return text == "true"


class NetworksView(View):
    @extend_schema(
        operation_id="husarnet_networks",
        parameters=[OpenApiParameter("shared", description="1: those shared with you, too")],
        responses=ListShape,
    )
    def get(self, request: Request) -> Response:
        """List the caller's networks; with `shared=1` also those shared with the caller."""
        user = person(request)
        rules.check_scope(user, "network:read")
        rows = network_rows()
        if request.query_params.get("shared", "") in TRUE:
            rows = rows.visible_to(user)  # type: ignore[attr-defined]
        else:
            rows = rows.filter(owner=user)
        shown = NetworkShape(rows.order_by("pk"), many=True, context=context(request))
        return Response({"networks": shown.data})

    @extend_schema(operation_id="husarnet_network_create", request=NewNetwork, responses={201: MadeShape})  # fmt: skip
    def post(self, request: Request) -> Response:
        """Create an empty network."""
        row = rules.create_network(person(request), name=body(request).get("name"))
        shown = NetworkShape(row, context=context(request))
        return Response({"status": "ok", "network": shown.data}, status=CREATED)


class NetworkView(View):
    @extend_schema(
        operation_id="husarnet_network",
        parameters=[OpenApiParameter("refresh_devices", description="1: look after them now")],
        responses=DetailShape,
    )
    def get(self, request: Request, pk: str) -> Response:
        """Return a network with its members and shares."""
        network = network_for(request, pk)
        rules.check(person(request), network, "see")
        if request.query_params.get("refresh_devices", "").lower() in TRUE:
            rules.refresh(network)
        row = detailed(network_rows()).get(pk=network.pk)
        return Response(DetailShape(row, context=context(request)).data)

    @extend_schema(operation_id="husarnet_network_change", request=ChangedNetwork, responses=MadeShape)  # fmt: skip
    def put(self, request: Request, pk: str) -> Response:
        """Change the name, the master, or both. Omitted attributes stay unchanged."""
        network = network_for(request, pk)
        data = body(request)
        values = {ours: data[theirs] for theirs, ours in (("name", "name"), ("ros-master", "master")) if theirs in data}  # fmt: skip
        if not values:
            raise Refused("Supported attributes are name and ros-master.")
        if "master" in values and values["master"] is not None:
            values["master"] = _id(values["master"], "ros-master")
        rules.update_network(network, by=person(request), **values)
        shown = NetworkShape(network, context=context(request))
        return Response({"status": "ok", "network": shown.data})

    @extend_schema(operation_id="husarnet_network_delete", responses={200: DoneShape})
    def delete(self, request: Request, pk: str) -> Response:
        rules.delete_network(network_for(request, pk), by=person(request))
        return Response(OK)

    @extend_schema(operation_id="husarnet_network_do", request=Operation, responses=DoneShape)
    def patch(self, request: Request, pk: str) -> Response:
        """Add or delete a member or a share, depending on ``op``."""
        network = network_for(request, pk)
        data = body(request)
        act = OPERATIONS.get(data["op"]) if isinstance(data.get("op"), str) else None
        if act is None:
            raise Refused({"op": [f"One of {', '.join(OPERATIONS)}."]})
        act(network, person(request), data)
        return Response(OK)


def _add_member(network: Network, user: User, data: Mapping[str, Any]) -> None:
    by_id = data.get("device_id", data.get("device-id"))
    link = data.get("link")
    if (link is None) == (by_id is None):
        raise Refused("Either link or device_id is expected.")
    if link is not None:
        managed = flag(data.get("is-fully-managed", False), "is-fully-managed")
        rules.add_by_link(
            network, by=user, link=_text(link, "link"), name=data.get("name"),
            is_fully_managed=managed,
        )  # fmt: skip
        return
    try:
        address = device_id(_text(by_id, "device_id"))
    except ValueError as error:
        raise Refused({"device_id": ["An IPv6 address is expected."]}) from error
    rules.add_by_id(network, by=user, address=address)


def _delete_member(network: Network, user: User, data: Mapping[str, Any]) -> None:
    pk = _id(data.get("id"), "id")
    member = network.members.filter(pk=pk).select_related("node", "network").first()
    if member is None:
        raise NotFound("No member of this network has this id.")
    rules.remove_member(member, by=user)


def _add_share(network: Network, user: User, data: Mapping[str, Any]) -> None:
    rules.add_share(
        network, by=user, email=data.get("email"), permissions=data.get("permissions")
    )


def _remove_share(network: Network, user: User, data: Mapping[str, Any]) -> None:
    rules.remove_share(network, by=user, email=data.get("email"))


OPERATIONS = {
    "add-member": _add_member,
    "delete-member": _delete_member,
    "add-share": _add_share,
    "remove-share": _remove_share,
}
LARGEST_ID = 2**63 - 1


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise Refused({name: ["A text is expected."]})
    return value


def _id(value: object, name: str) -> int:
    """Parse an id, plain or quoted: both occur in Husarnet's documentation."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not re.fullmatch("[0-9]{1,19}", text) or int(text) > LARGEST_ID:
        raise Refused({name: ["The id of a member, a number, is expected."]})
    return int(text)


class StatusView(View):
    @extend_schema(operation_id="husarnet_status", responses=StatusShape)
    def get(self, request: Request, address: str) -> Response:
        """Refresh and return the status of one device."""
        user = person(request)
        rules.check_scope(user, "network:read")
        try:
            wanted = device_id(address)
        except ValueError:
            raise NotFound("There is no such device.") from None
        row = Node.objects.filter(address=wanted).visible_to(user).first()
        if row is None:
            raise NotFound("There is no such device.")
        rules.look_at([row])
        row.refresh_from_db()
        return Response(StatusShape(row).data)


class TokenPage(LoginRequiredMixin, Page):
    """Page that issues the Husarnet Dashboard API token. The token is shown only once."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.shown(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        assert isinstance(user, User)  # noqa: S101 - signed in
        ApiToken.objects.filter(user=user, name=TOKEN_NAME).delete()
        return self.shown(request, issue_token(user, name=TOKEN_NAME))

    def shown(self, request: HttpRequest, token: str = "") -> HttpResponse:
        has_one = ApiToken.objects.filter(user=request.user, name=TOKEN_NAME).exists()  # type: ignore[misc]
        context = site.each_context(request) | {
            "token": token, "has_one": has_one, "title": "API token",
        }  # fmt: skip
        response = TemplateResponse(request, "portal/api_token.html", context)
        response["Cache-Control"] = "no-store"
        return response
