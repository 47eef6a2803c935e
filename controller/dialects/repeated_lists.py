"""Lists that programs read again and again, with queries compiled once for each filter."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Protocol, cast

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest, QueryDict
from django_filters import FilterSet
from rest_framework.utils.urls import remove_query_param, replace_query_param

from controller.accounts.models import User
from controller.base.compiled_queries import CompiledCount, CompiledPage, Statement
from controller.dialects.openwisp import cached_count, list_name

# Filters of which the queries are kept, for each list.
MOST_KEPT = 500
LONGEST_NUMBER = 9

Rows = list[tuple[Any, ...]]


class Pages(Protocol):
    """How a dialect asks for a page and answers with it."""

    parameters: frozenset[str]

    def asked(self, query: QueryDict) -> tuple[int, int] | None:
        """Return number and size of the page, or None if the view must decide."""
        ...

    def count(self, user: User, request: HttpRequest, count: Callable[[], int]) -> int:
        """Return the number of rows, which may be bounded in age."""
        ...

    def answer(
        self, request: HttpRequest, page: int, size: int, count: int, rows: list[Any]
    ) -> dict[str, Any] | None:
        """Return the page, or None if there is no such page."""
        ...


def number(query: QueryDict, name: str, default: int, most: int) -> int | None:
    """Return a plain number from 1 to ``most``, or None if it is anything else."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        return None
    return int(text) if 1 <= int(text) <= most else None


@dataclass(frozen=True)
class OpenWispPages:
    """Pages of ``count, next, previous``, and the rows."""

    size: int
    most: int
    head: dict[str, Any] = field(default_factory=dict)
    name: str = "results"
    parameters = frozenset({"page", "page_size"})

    def asked(self, query: QueryDict) -> tuple[int, int] | None:
        page = number(query, "page", 1, 10**LONGEST_NUMBER)
        size = number(query, "page_size", self.size, 10**LONGEST_NUMBER)
        return (page, min(size, self.most)) if page and size else None

    def count(self, user: User, request: HttpRequest, count: Callable[[], int]) -> int:
        return cached_count(list_name(user, request.path, request.GET), count)

    def answer(
        self, request: HttpRequest, page: int, size: int, count: int, rows: list[Any]
    ) -> dict[str, Any] | None:
        if page > 1 and (page - 1) * size >= count:
            return None
        url = request.build_absolute_uri()
        following = replace_query_param(url, "page", page + 1) if page * size < count else None
        before = None
        if page > 1:
            first = remove_query_param(url, "page")
            before = replace_query_param(url, "page", page - 1) if page > 2 else first  # noqa: PLR2004
        return self.head | {
            "count": count, "next": following, "previous": before, self.name: rows
        }  # fmt: skip


@dataclass(frozen=True)
class FreeSdnPages:
    """Pages of ``items`` with their total."""

    size: int = 25
    most: int = 500
    parameters = frozenset({"page", "per_page"})

    def asked(self, query: QueryDict) -> tuple[int, int] | None:
        page = number(query, "page", 1, 10**LONGEST_NUMBER)
        size = number(query, "per_page", self.size, self.most)
        return (page, size) if page and size else None

    def count(self, user: User, request: HttpRequest, count: Callable[[], int]) -> int:
        return count()

    def answer(
        self, request: HttpRequest, page: int, size: int, count: int, rows: list[Any]
    ) -> dict[str, Any] | None:
        return {
            "items": rows, "total": count, "page": page, "per_page": size,
            "pages": -(-count // size),
        }  # fmt: skip


@dataclass(frozen=True)
class Queries:
    """Compiled queries of a list with certain filters.

    ``named`` are the rows that the filters name: without one of them, the filter is invalid.
    """

    named: Sequence[Statement]
    count: CompiledCount
    parts: Sequence[CompiledPage]

    def are_valid(self) -> bool:
        return all(one.rows(one.parameters) for one in self.named)


@dataclass(frozen=True)
class RepeatedList:
    """List of rows that the caller may see, filtered and paged.

    ``rows`` are all rows that a user sees; each of ``parts`` is a query of the rows of a page,
    made from their keys; ``show`` makes the rows of the answer from what the parts found.
    """

    permission: str
    rows: Callable[[User], QuerySet[Any]]
    filters: type[FilterSet]
    parts: Sequence[Callable[[QuerySet[Any]], QuerySet[Any, Any]]]
    show: Callable[..., list[Any]]
    pages: Pages
    kept: dict[Hashable, Queries] = field(default_factory=dict)

    def __call__(self, user: User, request: HttpRequest) -> dict[str, Any] | None:
        """Return a page, or None if the view must answer."""
        query = request.GET
        asked = self.pages.asked(query)
        names = query.keys() - self.pages.parameters
        if asked is None or not names <= self.filters.base_filters.keys():
            return None
        queries = self.queries(user, query, names)
        if queries is None or not queries.are_valid():
            return None
        page, size = asked
        count = self.pages.count(user, request, queries.count)
        found = [part((page - 1) * size, size) for part in queries.parts]
        return self.pages.answer(request, page, size, count, self.show(user, *found))

    def queries(self, user: User, query: QueryDict, names: set[str]) -> Queries | None:
        filters = tuple((name, tuple(query.getlist(name))) for name in sorted(names))
        key = (user.access_key(self.permission), filters)
        if key not in self.kept:
            made = self.compiled(user, query)
            if made is None:
                return None
            if len(self.kept) >= MOST_KEPT:
                self.kept.clear()
            self.kept[key] = made
        return self.kept.get(key)

    def compiled(self, user: User, query: QueryDict) -> Queries | None:
        """Compile the queries, or return None if the filters are not valid or match nothing."""
        if not user.has_perm_anywhere(self.permission):
            return None
        chosen = self.filters(query, self.rows(user), request=SimpleNamespace(user=user))
        if not chosen.is_valid():
            return None
        try:
            return Queries(
                rows_named(chosen),
                CompiledCount(chosen.qs),
                [CompiledPage(chosen.qs, part) for part in self.parts],
            )
        except EmptyResultSet:
            return None


def rows_named(chosen: FilterSet) -> list[Statement]:
    """Return the queries of the rows that filters name, one for each."""
    values = chosen.form.cleaned_data
    return [
        Statement(
            cast(QuerySet[Any], one.queryset)
            .filter(pk=values[name].pk)
            .order_by()
            .values_list("pk")
        )
        for name, one in chosen.form.fields.items()
        if isinstance(one, ModelChoiceField) and values.get(name)
    ]
