"""Admin class whose writes call rules."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from inspect import signature
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin as DjangoModelAdmin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext

from controller.base.admin.pages import admin_url
from controller.base.admin.scoped import ScopedAdmin
from controller.base.errors import Refused
from controller.base.forms import RuleForm, shows_form_again

# Attribute of a request with the rows that were saved.
SAVED = "_muster_saved"
SHOWN_REFUSALS = 5


class OwnTransactions(DjangoModelAdmin):  # type: ignore[type-arg]  # not generic when it runs
    """Base for a RuleAdmin whose rules ask other machines, so that nothing waits with locks.

    Its place in the order of bases is right before Django's class, whose transaction it leaves out.
    """

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = self._changeform_view(request, *args, **kwargs)  # type: ignore[attr-defined]
        return response


class RuleAdmin(ScopedAdmin):
    """Admin that writes through ``create_rule``, ``update_rule`` and ``delete_rule``."""

    form = RuleForm
    create_rule: Callable[..., Any]
    update_rule: Callable[..., Any]
    delete_rule: Callable[..., None]
    # Deletes a list of rows at once; without it, each row is deleted by `delete_rule`.
    delete_rows_rule: Callable[..., None] | None = None

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        verb = "create" if obj is None else "update"
        return type(form.__name__, (form,), rule_attributes(self, request, verb))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            # Outside a transaction: on SQLite even a read in a transaction would wait for
            # writers.
            shown: HttpResponse = super().changeform_view(request, *args, **kwargs)
            return shown
        saved: list[Any] = []
        is_atomic = not isinstance(self, OwnTransactions)
        setattr(request, SAVED, saved)
        try:
            with transaction.atomic() if is_atomic else nullcontext():
                response: HttpResponse = super().changeform_view(request, *args, **kwargs)
                if is_atomic and shows_form_again(response):
                    transaction.set_rollback(True)
        except Refused as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        for obj in saved:
            self.run_buttons(request, obj)
        return response

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Remember the row for the extra submit buttons; the form has already called the rule."""
        getattr(request, SAVED).append(obj)

    def run_buttons(self, request: HttpRequest, obj: Any) -> None:
        """Run the extra submit buttons, after the transaction: they may ask other machines."""
        for button in self.get_actions_submit_line(request, obj.pk):
            if button.action_name in request.POST:
                button.method(request, obj)

    def get_deleted_objects(self, objs: Iterable[Any], request: HttpRequest) -> Any:
        """Return the rows and :meth:`deletion_effects`; cascading is decided by the rule."""
        rows = list(objs)
        lines: list[Any] = []
        for row in rows:
            lines += [str(row), *([effects] if (effects := self.deletion_effects(row)) else [])]
        name = self.opts.verbose_name
        refused = {name} if not all(self.may(request, "delete", row) for row in rows) else set()
        return lines, {self.opts.verbose_name_plural: len(rows)}, refused, []

    def deletion_effects(self, obj: Any) -> Sequence[str]:
        """Return sentences describing what else is deleted or changed with this row."""
        return ()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with_actor(type(self).delete_rule, request.user)(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete all rows in the order of their keys, or none of them.

        Raises Refused with the reasons, each with its row.
        """
        rows = list(queryset.order_by("pk"))
        if many := type(self).delete_rows_rule:
            with_actor(many, request.user)(rows)
            return
        refused: list[str] = []
        for row in rows:
            name = str(row)
            try:
                with transaction.atomic():
                    self.delete_model(request, row)
            except Refused as error:
                refused.append(f"{name}: {error}")
        if refused:
            reasons = " ".join(refused[:SHOWN_REFUSALS])
            raise Refused(gettext("Nothing was deleted. %(reasons)s") % {"reasons": reasons})

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any, **kw: Any) -> Any:
        try:
            with transaction.atomic():
                return super().delete_view(request, object_id, *args, **kw)
        except Refused as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(admin_url(self.model, "change", object_id))

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method != "POST":
            return super().changelist_view(request, *args, **kwargs)
        try:
            with transaction.atomic():
                return super().changelist_view(request, *args, **kwargs)
        except Refused as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


def with_actor(rule: Callable[..., Any], user: Any) -> Callable[..., Any]:
    """Return the rule with ``by`` bound to this user, if it asks who calls it."""
    return partial(rule, by=user) if "by" in signature(rule).parameters else rule


def rule_attributes(admin: Any, request: HttpRequest, verb: str) -> dict[str, Any]:
    """Return the attributes that bind a form class to an admin and its user."""
    user: Any = request.user
    permission = f"{admin.resource}:{verb}"
    rule = getattr(type(admin), f"{verb}_rule", None)
    return {
        "rule": staticmethod(with_actor(rule, user)) if rule else None,
        "may_in": staticmethod(lambda owner_id: user.has_perm_in(permission, owner_id)),
        "user": user,
        "is_atomic": not isinstance(admin, OwnTransactions),
    }
