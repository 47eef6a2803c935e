"""Resources: the columns of a table, and the rules that a line of it calls."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext
from import_export.resources import Diff, ModelResource
from import_export.widgets import ForeignKeyWidget

from controller.base.errors import Refused
from controller.base.tables import as_text, column_name

# The resource of each model whose tables are imported, by its label.
RESOURCES: dict[str, type["RuleResource"]] = {}


class PairDiff(Diff):
    """Value of every column before and after a line."""

    def as_html(self) -> list[tuple[str, str]]:
        return [
            (str(before or ""), str(after or ""))
            for before, after in zip(self.left, self.right, strict=True)
        ]


class ScopedWidget(ForeignKeyWidget):
    """Look up a row by name among the visible rows of the line's organization."""

    user: Any = None

    def __init__(self, model: Any, field: str = "name", *, within: bool = True) -> None:
        super().__init__(model, field)
        self.within = within

    def get_queryset(self, value: Any, row: Any, *args: Any, **kwargs: Any) -> Any:
        rows = self.model._default_manager.visible_to(self.user)
        if self.within:
            rows = rows.filter(organization__slug=row.get("organization") or "")
        return rows

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        try:
            return super().clean(value, row, **kwargs)
        except self.model.DoesNotExist as error:
            kind = self.model._meta.verbose_name
            raise ValueError(f"There is no {kind} {str(value)[:100]!r} here.") from error


class RuleResource(ModelResource):
    """Resource that writes through ``create_rule`` and ``update_rule``.

    ``create_rule(**values) -> row``; ``update_rule(row, **values) -> row``. A line updates
    the
    row with its id, else the row with the same ``natural`` columns in its organization, and
    otherwise creates a row. Columns missing from the file are left unchanged.
    """

    resource: ClassVar[str]
    create_rule: Callable[..., Any]
    update_rule: Callable[..., Any]
    natural: ClassVar[tuple[str, ...]]

    class Meta:
        import_id_fields: ClassVar[list[str]] = []
        use_transactions = True
        skip_unchanged = True

    def __init__(self, user: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user = user
        for field in self.fields.values():
            if isinstance(field.widget, ScopedWidget):
                field.widget.user = user

    def import_data(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """Import a table; one that cannot be taken as a whole is refused before its first row."""
        dataset.headers = [self.renamed(name) for name in dataset.headers or []]
        if problem := self.problem_of(dataset):
            result = self.get_result_class()()
            error = self.get_error_result_class()(ValidationError(problem))
            result.append_base_error(error)
            return result
        return super().import_data(dataset, *args, **kwargs)

    def renamed(self, header: str) -> str:
        """Return the column that a header means, also by the name that pages show."""
        if header in self.columns:
            return header
        names = {
            column_name(field.verbose_name): field.name
            for field in self._meta.model._meta.concrete_fields
            if field.name in self.columns
        }
        return names.get(header, header)

    @property
    def columns(self) -> list[str]:
        return [field.column_name for field in self.get_import_fields()] + ["id"]

    def problem_of(self, dataset: Any) -> str:
        """Return why a table is not taken as a whole; empty if its rows are looked at."""
        known = {*self.columns, *(field.column_name for field in self.get_export_fields())}
        headers: list[str] = dataset.headers
        if not set(headers) & known:
            return f"None of the columns is known. The first line names them: {', '.join(self.columns)}."
        unknown = [name or "(without a name)" for name in headers if name not in known]
        if unknown:
            return (
                f"Unknown columns: {', '.join(unknown)}. Known are {', '.join(self.columns)}; "
                "remove the others."
            )
        twice = sorted({name for name in headers if headers.count(name) > 1})
        return f"Columns that stand there twice: {', '.join(twice)}." if twice else ""

    def same_row(self, row: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Return what tells the row that a line is of; None if it has an id."""
        if row.get("id"):
            return None
        names = ("organization", *self.natural)
        return tuple(str(row.get(name) or "").casefold() for name in names)

    @classmethod
    def get_diff_class(cls) -> type[PairDiff]:
        return PairDiff

    def export_field(self, field: Any, instance: Any, **kwargs: Any) -> Any:
        return as_text(super().export_field(field, instance, **kwargs))

    def get_instance(self, instance_loader: Any, row: Any) -> Any:
        rows = self._meta.model.objects.visible_to(self.user)
        if given := row.get("id"):
            try:
                return rows.get(pk=UUID(str(given)))
            except (ValueError, rows.model.DoesNotExist) as error:
                raise ValidationError(
                    {"id": gettext("There is no row with this id.")}
                ) from error
        wanted = {f"{name}__iexact": str(row.get(name) or "") for name in self.natural}
        return rows.filter(organization__slug=row.get("organization") or "", **wanted).first()

    def skip_row(
        self, instance: Any, original: Any, row: Any, import_validation_errors: Any = None
    ) -> bool:
        """Return whether a line says what is stored already."""
        if import_validation_errors or original.pk is None or original._state.adding:
            return False
        return all(
            str(as_text(field.widget.render(field.get_value(instance))) or "")
            == str(self.export_field(field, original) or "")
            for field in self.get_import_fields()
            if field.column_name in row and field.column_name != "id"
        )

    def validate_instance(self, *args: Any, **kwargs: Any) -> None:
        errors = kwargs.get("import_validation_errors") or (args[1] if len(args) > 1 else None)
        if errors:
            # All other validation is left to the rule.
            raise ValidationError(errors)

    def values_of(self, instance: Any, row: Any) -> dict[str, Any]:
        return {
            field.attribute: getattr(instance, field.attribute, None)
            for field in self.get_import_fields()
            if field.column_name in row and field.column_name != "id"
        }

    def save_instance(self, instance: Any, is_create: bool, row: Any, **kwargs: Any) -> None:  # noqa: FBT001 - its signature
        values = self.values_of(instance, row)
        try:
            with transaction.atomic():
                if is_create:
                    self.check(instance, "create")
                    instance.pk = type(self).create_rule(**values).pk
                else:
                    stored = self._meta.model.objects.get(pk=instance.pk)
                    self.check(stored, "update")
                    self.check(instance, "update")
                    type(self).update_rule(stored, **values)
        except Refused as error:
            known = {field.column_name for field in self.fields.values()} | {"__all__"}
            told: dict[str, list[str]] = {}
            for name, texts in error.by_field.items():
                told.setdefault(name if name in known else "__all__", []).extend(texts)
            raise ValidationError(told) from error

    def check(self, instance: Any, verb: str) -> None:
        if instance.organization_id is None:
            raise ValidationError({"organization": gettext("This field is required.")})
        if not self.user.has_perm_on(f"{self.resource}:{verb}", instance):
            raise ValidationError(
                {"organization": gettext("You are not permitted to do this there.")}
            )
