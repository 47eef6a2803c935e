"""Queries whose SQL is compiled once.

Django compiles a query's SQL each time it is evaluated. For a row looked up by its key that
takes longer than everything else, and some rows are looked up by every agent and API
client::

    names = CompiledQuery(
        lambda pk: Device.objects.filter(pk=pk).values_list("name"), pk=UUIDField()
    )
    [(name,)] = names(pk=device_id)

A list that is read again and again, page by page, is a :class:`CompiledPage` with a
:class:`CompiledCount`. ``benchmarks/compiled_queries.py`` measures a compiled query beside the
plain one: 32 µs and 570 to 1,290 µs.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection, connections, router
from django.db.models import Field, QuerySet, Value


class QueryParam(Value):
    """Placeholder in a compiled query for a value given at each call."""

    def __init__(self, name: str, field: "Field[Any, Any]") -> None:
        super().__init__(None, output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)


class Statement:
    """SQL of a query for rows of ``values_list``, with its parameters and converters."""

    def __init__(self, rows: "QuerySet[Any, Any]") -> None:
        compiler = rows.query.get_compiler(connection=connection)
        self.sql, parameters = compiler.as_sql()
        self.parameters: list[Any] = list(parameters)
        self.converters = compiler.get_converters([column for column, *_ in compiler.select])
        self.model = rows.model

    def rows(self, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run the query with these values of its parameters."""
        with connections[router.db_for_read(self.model)].cursor() as cursor:
            cursor.execute(self.sql, values)
            found = cursor.fetchall()
        return [self._converted(row) for row in found] if self.converters else found

    def _converted(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        values = list(row)
        for place, (steps, column) in self.converters.items():
            for step in steps:
                values[place] = step(values[place], column, connection)
        return tuple(values)


class CompiledQuery:
    """Query as a function of its parameters; each call returns ``values_list`` rows.

    ``build`` makes the query from placeholders, which filters accept in place of values;
    ``fields`` gives the field type of each placeholder. Nothing else in the query may vary
    between calls.
    """

    def __init__(
        self,
        build: "Callable[..., QuerySet[Any, tuple[Any, ...]]]",
        **fields: "Field[Any, Any]",
    ) -> None:
        self.build, self.fields = build, fields
        self.statement: Statement | None = None

    def __call__(self, **values: Any) -> list[tuple[Any, ...]]:
        if self.statement is None:
            slots = {name: QueryParam(name, field) for name, field in self.fields.items()}
            self.statement = Statement(self.build(**slots))
        given = {
            name: field.get_db_prep_value(values[name], connection)
            for name, field in self.fields.items()
        }
        return self.statement.rows(
            [
                given[one.name] if isinstance(one, QueryParam) else one
                for one in self.statement.parameters
            ]
        )


# Bounds that stand for those of each call, in SQL where Django writes them as numbers.
FIRST, SIZE = 1_000_000_007, 1_000_000_009
BOUNDS = re.compile(rf"LIMIT {SIZE} OFFSET {FIRST}")
PLACEHOLDER = re.compile("%%|%s")


class CompiledPage:
    """Rows of a part of a list, as a function of its first row and its size.

    ``rows`` makes the query from the keys of the part; it may join what belongs to them.
    """

    def __init__(
        self,
        found: "QuerySet[Any, Any]",
        rows: "Callable[[QuerySet[Any, Any]], QuerySet[Any, Any]]",
    ) -> None:
        self.statement = Statement(rows(found.values("pk")[FIRST : FIRST + SIZE]))
        before, after = BOUNDS.split(self.statement.sql)
        self.statement.sql = f"{before}LIMIT %s OFFSET %s{after}"
        self.place = PLACEHOLDER.findall(before).count("%s")

    def __call__(self, first: int, size: int) -> list[tuple[Any, ...]]:
        given = self.statement.parameters
        return self.statement.rows([*given[: self.place], size, first, *given[self.place :]])


class CompiledCount:
    """Number of rows of a list."""

    def __init__(self, found: "QuerySet[Any, Any]") -> None:
        self.statement = Statement(found.order_by().values_list("pk"))
        self.statement.sql = f"SELECT COUNT(*) FROM ({self.statement.sql}) AS found"  # noqa: S608
        self.statement.converters = {}

    def __call__(self) -> int:
        [(count,)] = self.statement.rows(self.statement.parameters)
        return int(count)
