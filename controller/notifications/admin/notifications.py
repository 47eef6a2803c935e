"""Admin of the user's notifications and mutes."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import RuleAdmin, action, badge, display
from controller.base.errors import NotFound
from controller.notifications.admin import preferences
from controller.notifications.models import KIND_CHOICES, Mute, Notification
from controller.notifications.rules import mutes, recipients
from controller.notifications.rules.links import path_to

TONES = {"success": "good", "info": "mute", "warning": "warn", "error": "bad"}


class UnreadFilter(admin.SimpleListFilter):
    title = _("read")
    parameter_name = "unread"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", gettext("Unread")), ("0", gettext("Read"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() in {"0", "1"}:
            return queryset.filter(unread=self.value() == "1")
        return queryset


class KindFilter(admin.SimpleListFilter):
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return KIND_CHOICES

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(notice__kind=self.value()) if self.value() else queryset


@admin.register(Notification)
class NotificationAdmin(RuleAdmin):
    empty_hint = _("There are no notifications.")
    resource = "notification"
    delete_rule = recipients.delete
    delete_rows_rule = recipients.delete_many
    list_display = ["what", "about", "organization", "when"]
    list_display_links = ["about"]
    list_filter = [UnreadFilter, KindFilter]
    list_filter_submit = False
    list_before_template = "portal/notifications.html"
    list_select_related = ["notice__organization"]
    search_fields = ["notice__text", "notice__object_name"]
    ordering = ["-created"]
    actions = ["mark_read", "mark_unread", "mute_day", "mute"]

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        """Permit actions on one's own notifications; others are not in the queryset."""
        user: Any = request.user
        return bool(user.is_authenticated and user.is_active and verb != "create")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(preferences.page)
        read = self.admin_site.admin_view(self.read_all)
        return [
            path("preferences/", view, name=preferences.NAME),
            path("read/", read, name="notifications_read_all"),
            *super().get_urls(),
        ]

    def read_all(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            raise PermissionDenied
        count = recipients.mark_all_read(self.get_queryset(request))
        self.message_user(request, gettext("%(count)s marked as read.") % {"count": count})
        return HttpResponseRedirect("..")

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kw: Any) -> Any:
        """Mark the notification as read and redirect to its object."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        recipients.set_unread(row, unread=False)
        return HttpResponseRedirect(path_to(row.notice))

    @display(description=_("Kind"), ordering="notice__kind")
    def what(self, obj: Notification) -> str:
        return badge(obj.notice.label, TONES[obj.notice.level])

    @display(description=_("About"))
    def about(self, obj: Notification) -> str:
        tag = "<b>{}</b>" if obj.unread else "{}"
        return format_html(tag, obj.notice.translated_text)

    @display(description=_("Organization"))
    def organization(self, obj: Notification) -> str:
        return str(obj.notice.organization or "shared")

    @display(description=_("Time"), ordering="created")
    def when(self, obj: Notification) -> Any:
        return obj.created

    @action(description=_("Mark as read"))
    def mark_read(self, request: HttpRequest, queryset: Any) -> None:
        queryset.update(unread=False)

    @action(description=_("Mark as unread"))
    def mark_unread(self, request: HttpRequest, queryset: Any) -> None:
        queryset.update(unread=True)

    @action(description=_("Mute these for a day"))
    def mute_day(self, request: HttpRequest, queryset: Any) -> None:
        self._mute(request, queryset, days=1)

    @action(description=_("Mute these for good"))
    def mute(self, request: HttpRequest, queryset: Any) -> None:
        self._mute(request, queryset, days=None)

    def _mute(self, request: HttpRequest, queryset: Any, *, days: int | None) -> None:
        user: Any = request.user
        until = timezone.now() + timedelta(days=days) if days else None
        done = set()
        for row in queryset.select_related("notice"):
            app, _, model = row.notice.object_type.partition(".")
            try:
                found = mutes.target(app, model, row.notice.object_id, seen_by=user)
            except NotFound:
                continue
            mutes.mute(user, found, until=until)
            done.add(str(found))
        told = (
            gettext("You are told nothing of %(done)s.") % {"done": ", ".join(sorted(done))}
            if done
            else gettext("Nothing to do.")
        )
        self.message_user(request, told, messages.SUCCESS)


@admin.register(Mute)
class MuteAdmin(RuleAdmin):
    empty_hint = _("Nothing is muted. Mute devices in the list of notifications.")
    resource = "notification"
    delete_rule = mutes.unmute
    list_display = ["object_name", "object_type", "valid_till", "created"]
    list_display_links = None
    search_fields = ["object_name"]

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        user: Any = request.user
        return bool(user.is_authenticated and user.is_active and verb in {"read", "delete"})

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(user=request.user)
