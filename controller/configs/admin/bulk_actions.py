"""Actions of the list of devices, each of which proposes a change of the selected ones."""

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
    """The action of a list of devices that proposes this change of the selected ones."""

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
