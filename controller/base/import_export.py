"""CSV and XLSX import and export in the admin; each row calls a rule after a preview."""

import csv
from collections.abc import Callable, Iterable
from io import BytesIO, StringIO
from itertools import islice
from typing import Any, ClassVar
from uuid import UUID
from zipfile import BadZipFile, ZipFile

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from import_export.admin import ImportExportMixin
from import_export.resources import ModelResource
from import_export.tmp_storages import CacheStorage
from import_export.widgets import ForeignKeyWidget
from openpyxl import load_workbook  # type: ignore[import-untyped]

from controller.base.admin import ExportForm, ImportForm
from controller.base.errors import Refused
from controller.base.tables import SpreadsheetCSV, SpreadsheetXLSX, as_text, column_name

MOST_ROWS = 5000


# Of what is inside a workbook, whatever it is packed to.
MOST_UNPACKED = 20 * 1024 * 1024


class TooLarge(Exception):
    """The file is more than an import takes, or is no workbook."""


def _check_rows(rows: Iterable[Any]) -> None:
    """Raise TooLarge once there are more rows than an import takes; read no further."""
    # The first one is of names.
    if next(islice(rows, MOST_ROWS + 1, None), None) is not None:
        raise TooLarge(f"At most {MOST_ROWS} rows at a time.")


class LimitedCSV(SpreadsheetCSV):
    """CSV whose rows are counted before they are kept."""

    def create_dataset(self, in_stream: Any, **kwargs: Any) -> Any:
        text = in_stream.decode(errors="replace") if isinstance(in_stream, bytes) else in_stream
        _check_rows(csv.reader(StringIO(text)))
        return super().create_dataset(in_stream, **kwargs)


class LimitedXLSX(SpreadsheetXLSX):
    """A workbook that is measured unpacked, and whose rows are counted, before it is read."""

    def create_dataset(self, in_stream: bytes) -> Any:
        try:
            with ZipFile(BytesIO(in_stream)) as packed:
                size = sum(one.file_size for one in packed.infolist())
        except BadZipFile as error:
            raise TooLarge("This is no workbook.") from error
        if size > MOST_UNPACKED:
            raise TooLarge(
                f"Unpacked, this workbook has {size >> 20} MiB; the most is {MOST_UNPACKED >> 20}."
            )
        book = load_workbook(BytesIO(in_stream), read_only=True, data_only=True)
        try:
            _check_rows(book.active.iter_rows() if book.active is not None else iter(()))
        finally:
            book.close()
        return super().create_dataset(in_stream)


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
        if len(dataset) > MOST_ROWS:
            return f"At most {MOST_ROWS} rows at a time; these are {len(dataset)}."
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

    def export_field(self, field: Any, instance: Any, **kwargs: Any) -> Any:
        return as_text(super().export_field(field, instance, **kwargs))

    def get_instance(self, instance_loader: Any, row: Any) -> Any:
        rows = self._meta.model.objects.visible_to(self.user)
        if given := row.get("id"):
            try:
                return rows.get(pk=UUID(str(given)))
            except (ValueError, rows.model.DoesNotExist) as error:
                raise ValidationError({"id": "There is no row with this id."}) from error
        wanted = {f"{name}__iexact": str(row.get(name) or "") for name in self.natural}
        return rows.filter(organization__slug=row.get("organization") or "", **wanted).first()

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
            raise ValidationError({"organization": "This field is required."})
        if not self.user.has_perm_on(f"{self.resource}:{verb}", instance):
            raise ValidationError({"organization": "You are not permitted to do this there."})


class ImportExportAdmin(ImportExportMixin):
    """Admin with Import and Export on the list page, as listed in ``resource_classes``."""

    import_form_class = ImportForm
    export_form_class = ExportForm
    formats: ClassVar[list[Any]] = [LimitedCSV, LimitedXLSX]
    # Uploads wait in the cache between preview and confirmation: every process can read it.
    tmp_storage_class = CacheStorage
    # Each row is recorded in the audit log.
    skip_admin_log = True

    def add_data_read_fail_error_to_form(self, form: Any, e: Exception) -> None:
        if isinstance(e, TooLarge):
            form.add_error("import_file", str(e))
        else:
            super().add_data_read_fail_error_to_form(form, e)

    def get_resource_kwargs(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return {"user": request.user}

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(self.may(request, "create"))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.may(request, "read"))

    def get_valid_export_item_pks(self, request: HttpRequest) -> Any:
        return self.get_queryset(request).values_list("pk", flat=True)

    def get_export_queryset(self, request: HttpRequest) -> Any:
        """Return the filtered list, all pages, with the related rows its columns need."""
        resource: Any = self.get_export_resource_classes(request)[0]
        return super().get_export_queryset(request).select_related(*resource.related)
