"""Read-only admin of the audit log."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import AuditEntry
from controller.base.admin import (
    ChoicesDropdownFilter,
    RecordAdmin,
    ScopedRelatedFilter,
    badge,
    display,
)

TONES = {"done": "good", "refused": "warn", "failed": "bad"}


@admin.register(AuditEntry)
class AuditEntryAdmin(RecordAdmin):
    empty_hint = _("There are no changes yet.")
    resource = "audit"
    list_display = ["when", "who", "what", "row", "result", "address"]
    list_filter = [
        ("organization", ScopedRelatedFilter),
        ("outcome", ChoicesDropdownFilter),
        "at",
    ]
    search_fields = [
        "actor",
        "action",
        "object_type",
        "object_name",
        "object_id",
        "request_id",
        "address",
        "detail",
    ]
    ordering = ["-at", "-id"]
    list_display_links = ["when"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("when", "result"),
                    ("who", "address"),
                    ("what", "row"),
                    "organization",
                    "detail",
                    "changes",
                ]
            },
        ),
        (_("Trace"), {"fields": [("request_id", "channel"), "number", "seal"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["when", "result", "who", "address", "what", "row", "organization", "detail", "changes",
                "request_id", "channel", "number", "seal"]  # fmt: skip

    @display(description=_("Time"), ordering="at")
    def when(self, obj: AuditEntry) -> str:
        return f"{localtime(obj.at):%Y-%m-%d %H:%M:%S}"

    @display(description=_("Actor"), ordering="actor")
    def who(self, obj: AuditEntry) -> str:
        return obj.actor or "-"

    @display(description=_("Action"), ordering="action")
    def what(self, obj: AuditEntry) -> str:
        return obj.action.replace("_", " ")

    @display(description=_("Object"))
    def row(self, obj: AuditEntry) -> str:
        kind = obj.object_type.rpartition(".")[2]
        return f"{kind} {obj.object_name or obj.object_id}".strip() or "-"

    @display(description=_("Outcome"), ordering="outcome")
    def result(self, obj: AuditEntry) -> str:
        return badge(obj.get_outcome_display(), TONES[obj.outcome])

    @display(description=_("Changes"))
    def changes(self, obj: AuditEntry) -> str:
        before, after = obj.before or {}, obj.after or {}
        names = list(dict.fromkeys([*before, *after]))
        if not names:
            return "-"
        lines = format_html_join(
            "",
            "<tr><th>{}</th><td><del>{}</del></td><td>{}</td></tr>",
            ((name, text(before, name), text(after, name)) for name in names),
        )
        return format_html(
            '<table class="table"><thead><tr><th>Field</th><th>Before</th><th>After</th>'
            "</tr></thead><tbody>{}</tbody></table>",
            lines,
        )


def text(values: dict[str, Any], name: str) -> str:
    return "" if name not in values or values[name] in (None, "") else str(values[name])
