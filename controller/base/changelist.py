"""Fast admin changelists: constant-time deep pages and cheap cells.

unfold recomputes all headers of a list for each row and repeats some twenty classes in each
cell; the cells here look the same with a single class.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from django.contrib.admin.utils import label_for_field
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.core.paginator import Paginator
from django.db.models import Field, Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.timesince import timesince
from django.utils.translation import gettext

CHECKBOX = "action_checkbox"
PAGE_SIZES = (25, 50, 100, 200)
# Attribute of a request for the whole list instead of a page, and how many rows that is at most.
IS_EXPORT = "_muster_export"
MOST_EXPORTED = 10_000

A_MOMENT = timedelta(seconds=30)

Show = Callable[..., Any]


def relative_time(at: datetime | None) -> str:
    """Format a time as "3 minutes ago" or "in 2 days", with the exact time as tooltip."""
    if at is None:
        return gettext("never")
    now = timezone.now()
    if at > now + A_MOMENT:
        words = gettext("in %(time)s") % {"time": timesince(now, at, depth=1)}
    else:
        text = timesince(at, now, depth=1)
        words = (
            gettext("just now")
            if text.startswith("0")
            else gettext("%(time)s ago") % {"time": text}
        )
    exact = timezone.localtime(at).strftime("%Y-%m-%d %H:%M:%S %Z")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, words)


class LateJoinPaginator(Paginator):  # type: ignore[type-arg]
    """Paginate by primary key first, so joins touch only the rows of one page.

    Known as late row lookup; far pages cost the same as near ones.
    """

    def page(self, number: Any) -> Any:
        at = (self.validate_number(number) - 1) * self.per_page
        rows: Any = self.object_list
        found = list(rows.values_list("pk", flat=True)[at : at + self.per_page])
        return self._get_page(rows.filter(pk__in=found), self.validate_number(number), self)  # type: ignore[attr-defined]


def field_of(model: type[Model], name: str) -> "Field[Any, Any] | None":
    """Return the model's own field of this name, or None (also for reverse relations)."""
    try:
        found = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return found if isinstance(found, Field) else None


@dataclass(frozen=True)
class Layout:
    """What a person chose for a list: columns to hide, and rows per page (0: as usual)."""

    hidden: frozenset[str] = frozenset()
    page_size: int = 0


def layout_of(user: Any, page: str) -> Layout:
    """Return the user's layout of a list; `page` is its app and model."""
    kept = getattr(user, "list_layouts", {}).get(page, {})
    return Layout(frozenset(kept.get("hidden", ())), kept.get("page_size", 0))


class Column:
    """Column of the list: where its values come from and how they are displayed."""

    def __init__(self, shown: "FastChangeList", name: str, *, is_first: bool) -> None:
        self.list, self.name, self.admin = shown, name, shown.model_admin
        self.label = capfirst(str(label_for_field(name, shown.model, model_admin=self.admin)))
        self.links = shown.list_display_links
        self.is_link = self.links is not None and (
            name in self.links or (is_first and not self.links)
        )
        self.field = field_of(shown.model, name)
        self.of_admin = str if name == "__str__" else getattr(self.admin, name, None)
        self.empty = self.admin.get_empty_value_display()

    def text(self, row: Model) -> Any:
        try:
            return self.of_field(row, self.field) if self.field else self.computed(row)
        except ObjectDoesNotExist:
            return self.empty

    def of_field(self, row: Model, field: Any) -> Any:
        value = getattr(row, field.name)
        if field.remote_field:
            return self.empty if value is None else value
        if isinstance(value, datetime):
            return relative_time(value)
        return self.list.show_field(value, field, self.empty)

    def computed(self, row: Model) -> Any:
        if self.of_admin is not None:
            value = self.of_admin(row)
            if getattr(self.of_admin, "header", False):
                return self.list.show_header(value, self.empty)
        else:
            value = getattr(row, self.name)
            value = value() if callable(value) else value
        if isinstance(value, datetime):
            return relative_time(value)
        return self.list.show_value(value, self.empty, getattr(self.of_admin, "boolean", False))

    def cell(self, row: Model) -> SafeString:
        text = self.text(row)
        if not self.is_link:
            return format_html(
                '<td class="cell field-{}" data-label="{}">{}</td>', self.name, self.label, text
            )
        return format_html(
            '<th class="cell field-{}" data-label="{}"><a href="{}">{}</a></th>',
            self.name, self.label, self.list.link_to(row), text,
        )  # fmt: skip


class FastChangeList(ChangeList):
    """Changelist that renders its own rows; unfold formats the values."""

    show_field: ClassVar[Show]
    show_value: ClassVar[Show]
    show_header: ClassVar[Show]
    made_headers: ClassVar[Show]
    page_sizes = PAGE_SIZES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_popup:
            self.title = capfirst(str(self.opts.verbose_name_plural))

    def get_results(self, request: HttpRequest) -> None:
        self.layout = layout_of(request.user, self.opts.label_lower)
        self.list_per_page = self.layout.page_size or self.list_per_page
        if getattr(request, IS_EXPORT, False):
            self.list_per_page, self.page_num = MOST_EXPORTED, 1
        super().get_results(request)

    @cached_property
    def columns(self) -> list[Column]:
        names = [str(name) for name in self.list_display if name != CHECKBOX]
        return [Column(self, name, is_first=at == 0) for at, name in enumerate(names)]

    @cached_property
    def optional_columns(self) -> list[Column]:
        """Return the columns that can be hidden: all but those that link to the row."""
        return [one for at, one in enumerate(self.columns) if at and not one.is_link]

    @cached_property
    def hidden(self) -> set[str]:
        return {one.name for one in self.optional_columns} & self.layout.hidden

    @property
    def choices_of_columns(self) -> list[tuple[str, str, bool]]:
        """Return name, label and whether it shows, of each column that can be hidden."""
        shown = self.optional_columns
        return [(one.name, one.label, one.name not in self.hidden) for one in shown]

    @cached_property
    def headers(self) -> list[dict[str, Any]]:
        # Numbers in links that sort count hidden columns as well.
        names = [str(name) for name in self.list_display]
        made = zip(names, type(self).made_headers(self), strict=True)
        return [header for name, header in made if name not in self.hidden]

    @property
    def sorted_by(self) -> int:
        return sum(bool(one["sortable"] and one["sorted"]) for one in self.headers)

    def link_to(self, row: Model) -> str:
        link: str = self.url_for_result(row)
        return f"{link}?{self.preserved_filters}" if self.preserved_filters else link

    def rows(self) -> Iterator[SafeString]:
        """Yield the cells of each row."""
        rows = list(self.result_list)
        columns = [one for one in self.columns if one.name not in self.hidden]
        # The checkbox is rendered once; rows differ only in the id.
        selects = CHECKBOX in self.list_display
        box = self.model_admin.action_checkbox(rows[0]) if selects else ""
        for row in rows:
            own = box.replace(f'value="{rows[0].pk}"', f'value="{row.pk}"')
            select = f'<td class="cell cell-select">{own}</td>' if selects else ""
            cells = format_html_join("", "{}", ((column.cell(row),) for column in columns))
            yield mark_safe(select) + cells  # noqa: S308 - a widget, and an id in it
