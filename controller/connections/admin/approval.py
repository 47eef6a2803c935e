"""Approval of devices for passwords, on their page."""

from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import User
from controller.base.admin import RuleAdmin, action
from controller.connections.rules.device_approval import APPROVE, approval_kept, approve


class Approvable(RuleAdmin):
    """Device admin with the action, and whose users keep an approval that they may give."""

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = self.get_object(request, str(object_id)) if object_id else None
        if row is None or request.method != "POST":
            return super().changeform_view(request, object_id, *args, **kwargs)
        with approval_kept(row, by=cast(User, request.user)):
            return super().changeform_view(request, object_id, *args, **kwargs)

    def has_approve_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        row = self.get_object(request, str(object_id)) if object_id else None
        user = cast(User, request.user)
        return row is not None and not row.is_approved and user.has_perm_on(APPROVE, row)

    @action(
        description=_("Approve for passwords"), icon="verified_user", permissions=["approve"]
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.switch(request, object_id, approve, gettext("Approve for passwords"))

    def switch(
        self, request: HttpRequest, object_id: str, rule: Any, verb: str
    ) -> HttpResponse:
        """Ask for confirmation, then carry out the rule."""
        raise NotImplementedError
