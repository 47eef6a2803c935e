"""What balena's clients look up before a call: who they are, devices and applications."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.models import User
from controller.accounts.rules import authorize
from controller.base.errors import NotFound, Refused
from controller.configs.rules import devices
from controller.devices.models import Device
from controller.dialects.balena import LenientJSONParser, View, require_user
from supervisor_proxy.api.balena.filters import application_of, as_q, named
from supervisor_proxy.api.balena.serializers import (
    application,
    chosen_of,
    looked_up,
    with_devices,
)
from supervisor_proxy.engine import odata
from supervisor_proxy.models import Supervisor
from supervisor_proxy.rules.balena_calls import BALENA, MOST_AT_ONCE
from supervisor_proxy.rules.call_execution import ask
from supervisor_proxy.rules.call_requests import match_route
from supervisor_proxy.rules.running_services import Running, running_services

ORDERS: Mapping[str, str] = {
    "id": "pk", "uuid": "uuid", "device_name": "device__name", "created_at": "created",
}  # fmt: skip
# What may be written of a device, and by which name it is kept here.
WRITABLE: Mapping[str, str] = {"device_name": "name", "note": "notes"}
# What a device itself is asked for.
LIVE = frozenset({"image_install", "is_running__release"})
EMPTY = frozenset({"device_config_variable", "application_config_variable"})
# What JavaScript can count to.
LARGEST_NUMBER = 2**53


class WhoAmIView(View):
    """Who the token belongs to; clients ask this before anything else."""

    permission_classes = [IsAuthenticated]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        user = require_user(request)
        number = user.pk.int % LARGEST_NUMBER
        return Response(
            {
                "id": number,
                "actorType": "user",
                "actorTypeId": number,
                "username": user.username,
                "email": user.email,
            }
        )


def query_of(request: Request) -> odata.Query:
    return odata.parse({name: str(value) for name, value in request.query_params.items()})


class DeviceView(View):
    """Target devices of calls, as OData: read, rename, add a note."""

    permission_classes = [IsAuthenticated]
    parser_classes = [LenientJSONParser]

    @extend_schema(exclude=True)
    def get(
        self, request: Request, key: str | None = None, *, counts: bool = False
    ) -> Response:
        user, query = require_user(request), query_of(request)
        rows = found_of(user, key).filter(as_q(query.where))
        if counts:
            return Response({"d": rows.count()})
        rows = rows.order_by(*ordered(query), "pk")[query.skip :][: query.top or MOST_AT_ONCE]
        found = list(rows.select_related("device__presence"))
        if key is not None and "supervisor_version" in query.select:
            learn_versions(user, found)
        runs = running_of(user, found) if key is not None and LIVE & set(query.expand) else {}
        return Response(
            {"d": [looked_up(row, query, runs.get(row.pk, Running())) for row in found]}
        )

    @extend_schema(exclude=True)
    def patch(
        self, request: Request, key: str | None = None, *, counts: bool = False
    ) -> Response:
        """Rename devices, or write their notes; whatever else there is belongs to their cloud."""
        values = request.data if isinstance(request.data, dict) else {}
        where = query_of(request).where
        if (key is None and where is None) or counts or not values:
            raise Refused("Name a device, and what of it is to change.", code="odata")
        if unknown := sorted(values.keys() - WRITABLE.keys()):
            raise Refused({unknown[0]: ["This cannot be changed here."]}, code="odata")
        user = require_user(request)
        rows = found_of(user, key).filter(as_q(where)).select_related("device").order_by("pk")
        found = list(rows[: MOST_AT_ONCE + 1])
        if not found:
            raise NotFound("There is no such device.")
        if len(found) > MOST_AT_ONCE:
            raise Refused(f"{MOST_AT_ONCE} devices are the most at once.", code="odata")
        wanted = {WRITABLE[name]: str(value or "") for name, value in values.items()}
        change_all(user, [row.device for row in found], wanted)
        return Response("OK")


@transaction.atomic
def change_all(user: User, rows: list[Device], wanted: dict[str, Any]) -> None:
    """Change all of these devices, or none."""
    for device in rows:
        authorize(user, "device:update", device.organization_id, device.site_scope)
    for device in rows:
        devices.update_device(device, **wanted)


def found_of(user: User, key: str | None) -> QuerySet[Supervisor]:
    rows: QuerySet[Supervisor] = Supervisor.objects.visible_to(user, "supervisor:read").filter(
        flavor=BALENA
    )
    if key is None:
        return rows
    how = named(key)
    if "slug" in how:
        raise Refused("A device has no slug.", code="odata")
    return rows.filter(**{"pk" if name == "id" else name: text for name, text in how.items()})


def ordered(query: odata.Query) -> list[str]:
    if unknown := [name for name, _ in query.order if name not in ORDERS]:
        raise odata.refuse(f"an order by {unknown[0]}")
    return [f"-{ORDERS[name]}" if downward else ORDERS[name] for name, downward in query.order]


def learn_versions(user: User, rows: list[Supervisor]) -> None:
    """Ask a device that somebody entered by hand which version it has: clients decide by it."""
    for row in rows:
        if row.version or not user.has_perm_on("supervisor:read", row):
            continue
        wanted = match_route(BALENA, method="GET", path="/v1/device")
        try:
            ask(user, row, wanted)
        except Refused:
            continue
        row.refresh_from_db(fields=["version"])


def running_of(user: User, rows: list[Supervisor]) -> dict[int, Running]:
    return {
        row.pk: running_services(user, row)
        for row in rows
        if user.has_perm_on("supervisor:read", row)
    }


class ApplicationView(View):
    """The applications that devices here run: their numbers, and names made from those."""

    permission_classes = [IsAuthenticated]

    @extend_schema(exclude=True)
    def get(
        self, request: Request, key: str | None = None, *, counts: bool = False
    ) -> Response:
        query = query_of(request)
        numbers = (
            found_of(require_user(request), None)
            .exclude(app_id=None)
            .order_by("app_id")
            .values_list("app_id", flat=True)
            .distinct()
        )
        if key is not None:
            how = named(key)
            wanted = int(how.get("id", application_of(how.get("slug", ""))))
            numbers = numbers.filter(app_id=wanted)
        rows = [application(number) for number in numbers if number is not None]
        rows = [row for row in rows if odata.holds(query.where, row)]
        if counts:
            return Response({"d": len(rows)})
        rows = in_order(rows, query)[query.skip :][: query.top or MOST_AT_ONCE]
        if "owns__device" in query.expand:
            devices = found_of(require_user(request), None).select_related("device__presence")
            rows = [with_devices(row, devices.filter(app_id=row["id"])) for row in rows]
        return Response({"d": [chosen_of(row, query) for row in rows]})


def in_order(rows: list[dict[str, Any]], query: odata.Query) -> list[dict[str, Any]]:
    """Return applications in the order that is asked for; the first member counts most."""
    for name, downward in reversed(query.order):
        if name not in {"id", "app_name", "slug"}:
            raise odata.refuse(f"an order by {name}")
        rows = sorted(rows, key=itemgetter(name), reverse=downward)
    return rows


class NoSuchResourceView(View):
    """Every other resource of balena's API: there is none here, said in JSON.

    Variables of the supervisor are looked up by clients in passing; there are none of those.
    """

    permission_classes = [IsAuthenticated]

    @extend_schema(exclude=True)
    def get(self, request: Request, name: str, key: str | None = None) -> Response:
        if name in EMPTY and request.method == "GET":
            query_of(request)
            return Response({"d": []})
        raise NotFound(
            f"This portal has no {name}: of balena's API it answers for devices, applications "
            "and calls of supervisors.",
            code="no_resource",
        )

    post = put = patch = delete = get
