"""Bulk actions of the device list; each creates a draft bulk operation."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect

from controller.base.admin import admin_url
from controller.configs.models import DeviceBatch
from controller.configs.rules import bulk_operations as rules
from controller.configs.rules.bulk_actions import BULK_ACTIONS
from controller.devices.models import Device


def begin(kind: str) -> Callable[..., Any]:
    """Return an admin action that creates a draft of this kind for the selected devices."""

    def propose(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        user: Any = request.user
        if not user.has_perm_anywhere(BULK_ACTIONS[kind].permission):
            raise PermissionDenied
        devices = Device.objects.visible_to(user).filter(pk__in=queryset.values("pk"))
        batch = rules.create_draft(user, kind, devices)
        return HttpResponseRedirect(admin_url(DeviceBatch, "change", batch.pk))

    propose.__name__ = str(kind)
    propose.short_description = f"{DeviceBatch.Kind(kind).label} …"  # type: ignore[attr-defined]
    return propose
