"""Base of all views of changes."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request

from controller.base.errors import NotFound, Refused
from controller.dialects.freesdn import HasResourcePermission, View
from networks.gateways.engine.features import FEATURES
from networks.gateways.models import Change, Gateway
from networks.gateways.rules import transitions

PAIRS = frozenset((one.vendor, one.area) for one in FEATURES.values())
AREAS = frozenset(area for _, area in PAIRS)


class Staging(View):
    """Base view: reading needs one permission, writing the permission of the feature."""

    permission_classes = [HasResourcePermission]
    resource = "network"
    permissions = {"": transitions.READ}

    def gateway(self, pk: str) -> Gateway:
        rows = Gateway.objects.visible_to(self.request.user, transitions.READ)
        rows = rows.select_related("organization", "site")
        found: Gateway | None = rows.filter(pk=as_uuid(pk)).first()
        vendor, area = self.kwargs.get("vendor"), self.kwargs.get("area")
        if found is None or found.vendor != (vendor or found.vendor):
            raise NotFound("Resource not found")
        is_known = area in AREAS and (not vendor or (vendor, area) in PAIRS)
        if area is not None and not is_known:
            raise NotFound(f"Gateways of {vendor or 'any vendor'} have no area {area}.")
        site = self.kwargs.get("site_id")
        if site and found.site_id != as_uuid(site):
            raise NotFound("Resource not found")
        return found

    def change(self) -> Change:
        rows = Change.objects.visible_to(self.request.user, transitions.READ)
        rows = rows.select_related("gateway__organization", "gateway__site", "author")
        found: Change | None = rows.filter(pk=as_uuid(self.kwargs["pk"])).first()
        if found is None:
            raise NotFound("Resource not found")
        return found


def as_uuid(text: Any) -> UUID:
    try:
        return UUID(str(text))
    except ValueError as error:
        raise NotFound("Resource not found") from error


def named(error: Refused) -> Refused:
    """Rename the error's fields to the dialect's full paths."""
    if isinstance(error.detail, str):
        return error
    return Refused(
        {
            name if name.startswith("query.") else f"body.{name}": text
            for name, text in error.detail.items()
        }
    )


def key_of(request: Request) -> str:
    return request.headers.get("Idempotency-Key", "")
