"""Queries whose SQL is compiled once.

Django compiles a query's SQL each time it is evaluated. For a row looked up by its key that
takes longer than everything else, and some rows are looked up by every agent and API
client::

    names = CompiledQuery(
        lambda pk: Device.objects.filter(pk=pk).values_list("name"), pk=UUIDField()
    )
    [(name,)] = names(pk=device_id)

``benchmarks/compiled_queries.py`` measures it beside the plain query: 32 µs and 570 to 1,290 µs.
"""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.models import Field, QuerySet, Value


class QueryParam(Value):
    """Placeholder in a compiled query for a value given at each call."""

    def __init__(self, name: str, field: "Field[Any, Any]") -> None:
        super().__init__(None, output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)


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
        self.sql = ""
        self.parameters: tuple[Any, ...] = ()
        self.converters: dict[int, Any] = {}

    def __call__(self, **values: Any) -> list[tuple[Any, ...]]:
        if not self.sql:
            self._compile()
        given = {
            name: field.get_db_prep_value(values[name], connection)
            for name, field in self.fields.items()
        }
        with connection.cursor() as cursor:
            cursor.execute(
                self.sql,
                [
                    given[one.name] if isinstance(one, QueryParam) else one
                    for one in self.parameters
                ],
            )
            return [self._converted(row) for row in cursor.fetchall()]

    def _compile(self) -> None:
        slots = {name: QueryParam(name, field) for name, field in self.fields.items()}
        compiler = self.build(**slots).query.get_compiler(connection=connection)
        sql, self.parameters = compiler.as_sql()
        self.converters = compiler.get_converters([column for column, *_ in compiler.select])
        self.sql = sql  # assigned last: other threads treat the query as ready once it is set

    def _converted(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        if not self.converters:
            return row
        values = list(row)
        for place, (steps, column) in self.converters.items():
            for step in steps:
                values[place] = step(values[place], column, connection)
        return tuple(values)
