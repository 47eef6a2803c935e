"""Sites, site grants, API keys and audit in the FreeSDN dialect."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from django.db.models import Count, IntegerField, Q, QuerySet, Value
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from controller.accounts.api.freesdn import serializers as shapes
from controller.accounts.api.freesdn.filters import (
    AuditFilter,
    InvitationFilter,
    SiteFilter,
    only_organization,
)
from controller.accounts.models import (
    ApiKey,
    AuditEntry,
    Invitation,
    Membership,
    Organization,
    Site,
    SiteGrant,
    User,
)
from controller.accounts.rules import api_keys, audit, invitations, sites
from controller.accounts.rules.ranks import refuse_keys
from controller.base.errors import NotFound, NotPermitted
from controller.dialects.freesdn import HasResourcePermission, OwnedViewSet, RuleViewSet, View
from controller.dialects.negotiation import OneFormat


class SiteViewSet(RuleViewSet):
    """Sites of the caller's organizations, as far as granted."""

    queryset = Site.objects.all()
    resource = "site"
    filterset_class = SiteFilter
    per_page = 20
    max_per_page = 100
    create_rule = staticmethod(sites.create_site)
    update_rule = staticmethod(sites.update_site)
    delete_rule = staticmethod(sites.delete_site)
    http_method_names = ["get", "head", "options", "post", "patch", "delete"]

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return shapes.SiteShape if self.action in {"list", "create"} else shapes.SiteChange

    def get_queryset(self) -> QuerySet[Site]:
        rows: QuerySet[Site] = super().get_queryset()
        in_service = Q(devices__is_deactivated=False)
        return rows.annotate(
            device_count=Count("devices", filter=in_service),
            online_device_count=Count(
                "devices", filter=in_service & Q(devices__presence__state="online")
            ),
            controller_count=Value(0, output_field=IntegerField()),
        )

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = serializer.validated_data
        if "organization" not in values:
            mine = Organization.objects.visible_to(self.request.user, "site:create")
            found = only_organization(mine)
            if found is None:
                raise ValidationError({"organization_id": ["Choose an organization."]})
            values["organization"] = found
        super().perform_create(serializer)
        made: Any = serializer.instance
        serializer.instance = self.get_queryset().get(pk=made.pk)


class OfSite(View):
    """View of data of one site; for managers only."""

    permission_classes = [HasResourcePermission]
    resource = "user"
    permissions: dict[str, str] = {}

    @cached_property
    def site(self) -> Site:
        found: Site | None = (
            Site.objects.visible_to(self.request.user, "site:read")
            .filter(pk=self.kwargs["site_id"])
            .first()
        )
        if found is None:
            raise NotFound("Resource not found")
        user = self.request.user
        if not (
            isinstance(user, User) and user.has_perm_in("user:update", found.organization_id)
        ):
            raise NotPermitted("Permission denied: requires 'user:update'")
        return found


class GrantsView(OfSite):
    @extend_schema(responses=shapes.GrantShape(many=True), operation_id="site_grants_list")
    def get(self, request: Request, site_id: str) -> Response:
        """List the access levels granted in a site."""
        rows = self.site.grants.select_related("membership__user")
        return Response(shapes.GrantShape(rows, many=True).data)

    @extend_schema(
        request=shapes.GrantShape, responses=shapes.GrantShape, operation_id="site_grants_set"
    )
    def put(self, request: Request, site_id: str) -> Response:
        """Grant a member read, write or full access to a site."""
        _ = self.site  # 404 before the body is validated
        given = shapes.GrantShape(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        member = Membership.objects.filter(
            organization=self.site.organization_id, user=values["membership"]["user_id"]
        ).first()
        if member is None:
            raise NotFound("There is no such member of the organization.")
        assert isinstance(request.user, User)  # noqa: S101 - MayDo has let it in
        row = sites.grant(member, self.site, values["level"], by=request.user)
        return Response(shapes.GrantShape(row).data)


class GrantView(OfSite):
    @extend_schema(responses={204: None}, operation_id="site_grants_delete")
    def delete(self, request: Request, site_id: str, user_id: str) -> Response:
        """Revoke a member's access to a site."""
        row = SiteGrant.objects.filter(site=self.site, membership__user__id=user_id).first()
        if row is None:
            raise NotFound("Resource not found")
        assert isinstance(request.user, User)  # noqa: S101 - MayDo has let it in
        sites.revoke_grant(row, by=request.user)
        return Response(status=204)


class InvitationViewSet(RuleViewSet):
    """Invitations to the caller's organizations, accepted or not."""

    queryset = Invitation.objects.all()
    resource = "user"
    filterset_class = InvitationFilter
    serializer_class = shapes.InvitationShape
    http_method_names = ["get", "head", "options", "post", "delete"]

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        serializer.instance = invitations.invite(
            by=user_of(self.request), **serializer.validated_data
        )

    def perform_destroy(self, instance: Invitation) -> None:
        invitations.withdraw(instance, by=user_of(self.request))


class OfPerson(View):
    """For people: a key manages no keys, and does not see which others there are."""

    permission_classes = [IsAuthenticated]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        refuse_keys(user_of(request))


def user_of(request: Request) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - IsAuthenticated has let it in
    return request.user


class KeysView(OfPerson):
    @extend_schema(responses=shapes.KeyShape(many=True), operation_id="api_keys_list")
    def get(self, request: Request) -> Response:
        """List the user's own API keys, without their secrets."""
        rows = ApiKey.objects.filter(user=request.user.pk)[:100]
        return Response(shapes.KeyShape(rows, many=True).data)

    @extend_schema(
        request=shapes.NewKey, responses={201: shapes.MadeKey}, operation_id="api_keys_create"
    )
    def post(self, request: Request) -> Response:
        """Create an API key. The secret is in this response only."""
        given = shapes.NewKey(data=request.data)
        given.is_valid(raise_exception=True)
        key, secret = api_keys.create_key(user_of(request), **given.validated_data)
        return Response(shapes.KeyShape(key).data | {"key": secret}, status=201)


class KeyView(OfPerson):
    @extend_schema(responses={204: None}, operation_id="api_keys_delete")
    def delete(self, request: Request, pk: str) -> Response:
        """Delete one of the user's own API keys; its clients are refused immediately."""
        key = ApiKey.objects.filter(user=request.user.pk, pk=pk).first()
        if key is None:
            raise NotFound("Resource not found")
        api_keys.delete_key(key, by=user_of(request))
        return Response(status=204)


OF_SECURITY = (
    "sign_in", "sign_out", "register", "reset_password", "end_session", "end_sessions",
    "turn_mfa_on", "turn_mfa_off", "add_email", "change_email", "remove_email", "verify_email",
    "link_single_sign_on", "lock",
)  # fmt: skip


class AuditViewSet(OwnedViewSet, ReadOnlyModelViewSet[AuditEntry]):
    """Audit log, newest entries first, including refused attempts."""

    queryset = AuditEntry.objects.all()
    serializer_class = shapes.AuditShape
    resource = "audit"
    filterset_class = AuditFilter
    max_per_page = 200


class SecurityEventViewSet(AuditViewSet):
    """Sign-ins, their failures, and changes of how somebody signs in, newest first."""

    serializer_class = shapes.SecurityEventShape  # type: ignore[assignment]
    http_method_names = ["get", "head", "options"]

    def get_queryset(self) -> QuerySet[AuditEntry]:
        rows: QuerySet[AuditEntry] = super().get_queryset()
        return rows.filter(action__in=OF_SECURITY)


class AuditValidateView(View):
    permission_classes = [HasResourcePermission]
    resource = "audit"

    @extend_schema(responses=shapes.Validation, operation_id="audit_validate")
    def get(self, request: Request) -> Response:
        """Verify the audit chains of the caller's organizations: altered or missing entries."""
        user = request.user
        assert isinstance(user, User)  # noqa: S101 - MayDo has let it in
        mine = None if user.is_superuser else audited_by(user)
        chains = audit.verify_chains(mine)
        valid = not any(chain.problems for chain in chains)
        return Response({"valid": valid, "chains": shapes.ChainShape(chains, many=True).data})


def audited_by(user: User) -> set[Any]:
    return {pk for pk in user.access_by_organization if user.has_perm_in("audit:read", pk)}


FILE_ROWS = shapes.AuditShape(many=True)


class Line:
    """File-like object for the csv module that returns the line it is given."""

    def write(self, text: str) -> str:
        return text


class AuditExportView(View):
    permission_classes = [HasResourcePermission]
    resource = "audit"
    # Both methods read.
    permissions = {"": "audit:read"}
    # ``format`` says what the file has, not in which format the API answers.
    content_negotiation_class = OneFormat

    @extend_schema(
        operation_id="audit_export",
        responses={(200, "text/csv"): OpenApiTypes.STR, (200, "application/json"): FILE_ROWS},
        parameters=[OpenApiParameter("format", enum=["csv", "json"], default="csv")],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Export the filtered audit entries as CSV or JSON, oldest first."""
        wanted = request.query_params.get("format", "csv")
        if wanted not in WRITERS:
            raise ValidationError({"format": ["One of csv and json is expected."]})
        return exported(request, wanted, request.query_params)

    @extend_schema(
        operation_id="audit_export_chosen",
        request=shapes.ExportAsk,
        responses={(200, "text/csv"): OpenApiTypes.STR, (200, "application/json"): FILE_ROWS},
    )
    def post(self, request: Request) -> StreamingHttpResponse:
        """Export entries of these actions, kinds of rows and times."""
        asked = shapes.ExportAsk(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        kinds = {"action__in": values["actions"], "object_type__in": values["resource_types"]}
        times = {name: values[name] for name in ("start_date", "end_date") if values[name]}
        chosen = {name: one for name, one in kinds.items() if one}
        return exported(request, values["format"], times, **chosen)


def exported(
    request: Request, wanted: str, given: Mapping[str, Any], **chosen: Any
) -> StreamingHttpResponse:
    rows = AuditEntry.objects.visible_to(request.user).filter(**chosen)
    found = AuditFilter(given, rows)
    if not found.is_valid():
        raise ValidationError(found.errors)
    write, kind = WRITERS[wanted]
    response = StreamingHttpResponse(write(found.qs.order_by("id")), kind)
    response["Content-Disposition"] = f'attachment; filename="audit.{wanted}"'
    return response


def csv_lines(rows: QuerySet[AuditEntry]) -> Iterator[str]:
    names = shapes.AuditShape.Meta.fields
    writer = csv.writer(Line())
    yield writer.writerow(names)
    for row in rows.iterator(1000):
        shown = shapes.AuditShape(row).data
        yield writer.writerow([cell(shown[name]) for name in names])


def json_lines(rows: QuerySet[AuditEntry]) -> Iterator[bytes]:
    renderer, mark = JSONRenderer(), b"["
    for row in rows.iterator(1000):
        yield mark + renderer.render(shapes.AuditShape(row).data)
        mark = b",\n"
    yield b"[]" if mark == b"[" else b"]"


WRITERS: Mapping[str, tuple[Callable[[QuerySet[AuditEntry]], Iterator[Any]], str]] = {
    "csv": (csv_lines, "text/csv"),
    "json": (json_lines, "application/json"),
}


def cell(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, dict) else "" if value is None else str(value)
    # Spreadsheets would run text that starts like a formula.
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
