"""What balena's clients look up before a call: who they are, devices and applications."""

from collections.abc import Mapping, Set
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
from supervisor_proxy.api.balena.filters import application_of, named, narrowed
from supervisor_proxy.api.balena.serializers import (
    APPLICATION_MEMBERS,
    DEVICE_MEMBERS,
    DeviceRow,
    answer_of,
    application,
)
from supervisor_proxy.engine import odata, odata_filters
from supervisor_proxy.engine.odata_rows import check_names, found_in, holds, related_in
from supervisor_proxy.models import Supervisor
from supervisor_proxy.rules.balena_calls import BALENA, MOST_AT_ONCE
from supervisor_proxy.rules.call_execution import ask
from supervisor_proxy.rules.call_requests import match_route
from supervisor_proxy.rules.running_services import Running, running_services

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


def query_of(request: Request, known: Set[str] | None = None) -> odata.Query:
    """Return what is asked for. Raises Refused with what is not known of it."""
    query = odata.parse({name: str(value) for name, value in request.query_params.items()})
    if known is not None:
        check_names(query, known)
    return query


class DeviceView(View):
    """Target devices of calls, as OData: read, rename, add a note."""

    permission_classes = [IsAuthenticated]
    parser_classes = [LenientJSONParser]

    @extend_schema(exclude=True)
    def get(
        self, request: Request, key: str | None = None, *, counts: bool = False
    ) -> Response:
        user, query = require_user(request), query_of(request, DEVICE_MEMBERS)
        rows = found_of(user, key).filter(narrowed(query.where)).order_by("pk")
        found = list(rows.select_related("device__presence"))
        asked = query.expand.keys() | related_in(query.where)
        if key is None and LIVE & related_in(query.where):
            raise odata_filters.refuse("a filter by what devices run")
        if key is not None and "supervisor_version" in query.select:
            learn_versions(user, found)
        runs = running_of(user, found) if key is not None and LIVE & asked else {}
        shown = [DeviceRow(row, runs.get(row.pk, Running())) for row in found]
        if counts:
            return Response({"d": len(found_in(shown, query))})
        return Response(answer_of(shown, query))

    @extend_schema(exclude=True)
    def patch(
        self, request: Request, key: str | None = None, *, counts: bool = False
    ) -> Response:
        """Rename devices, or write their notes; whatever else there is belongs to their cloud."""
        values = request.data if isinstance(request.data, dict) else {}
        query = query_of(request, DEVICE_MEMBERS)
        if (key is None and query.where is None) or counts or not values:
            raise Refused("Name a device, and what of it is to change.", code="odata")
        if unknown := sorted(values.keys() - WRITABLE.keys()):
            raise Refused({unknown[0]: ["This cannot be changed here."]}, code="odata")
        user = require_user(request)
        if LIVE & related_in(query.where):
            raise odata_filters.refuse("a filter by what devices run")
        near = found_of(user, key).filter(narrowed(query.where)).order_by("pk")
        rows = [DeviceRow(row, Running()) for row in near.select_related("device__presence")]
        found = [row.row for row in rows if holds(query.where, row)]
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
        user, query = require_user(request), query_of(request, APPLICATION_MEMBERS)
        numbers = (
            found_of(user, None)
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
        if any("owns__device" in text for text in request.query_params.values()):
            with_devices(user, rows)
        if counts:
            return Response({"d": len(found_in(rows, query))})
        return Response(answer_of(rows, query))


def with_devices(user: User, rows: list[dict[str, Any]]) -> None:
    """Add to each application those of its devices that are here."""
    of_number: dict[int, list[DeviceRow]] = {row["id"]: [] for row in rows}
    devices = found_of(user, None).filter(app_id__in=of_number.keys()).order_by("pk")
    for device in devices.select_related("device__presence"):
        if device.app_id is not None:
            of_number[device.app_id].append(DeviceRow(device, Running()))
    for row in rows:
        row["owns__device"] = of_number[row["id"]]


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
