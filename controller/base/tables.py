"""Tables as spreadsheets write them: delimiters, headers, blank rows, and cells like formulas."""

import csv
import re
from collections.abc import Iterable, Sequence
from io import BytesIO, StringIO
from typing import Any
from zipfile import BadZipFile, ZipFile

from django.utils.translation import gettext
from import_export.formats.base_formats import CSV, XLSX
from openpyxl import load_workbook  # type: ignore[import-untyped]
from tablib import Dataset

from controller.base.errors import Refused

MOST_ROWS = 5000
MOST_COLUMNS = 200
MOST_BYTES = 8 * 1024 * 1024
# Of what is inside a workbook, whatever it is packed to.
MOST_UNPACKED = 20 * 1024 * 1024
ZIP = b"PK\x03\x04"

DELIMITERS = ",;\t"
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
# A cell that a spreadsheet would calculate, behind any apostrophes that are there already.
FORMULA = re.compile(r"'*[=+\-@\t\r]")


def as_text(value: Any) -> Any:
    """Return a cell that no spreadsheet calculates; ``from_text`` gives back what it was."""
    if isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def from_text(value: Any) -> Any:
    """Return the value of a cell that was written by ``as_text``."""
    if isinstance(value, str) and value.startswith("'") and FORMULA.match(value):
        return value[1:]
    return value


def column_name(text: Any) -> str:
    """Return a header without capitals, blanks and dashes: ``MAC address`` is ``mac_address``."""
    return re.sub(r"[\s_-]+", "_", str(text or "").strip().casefold()).strip("_")


def delimiter_of(text: str) -> str:
    """Return what separates the columns of the header: a comma, a semicolon or a tab."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    unquoted = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=unquoted.count)


class SpreadsheetCSV(CSV):  # type: ignore[misc]
    """CSV in UTF-8 with commas, semicolons or tabs."""

    def create_dataset(self, in_stream: Any, **kwargs: Any) -> Dataset:
        text = in_stream.decode("utf-8-sig") if isinstance(in_stream, bytes) else in_stream
        text = text.removeprefix("\ufeff")
        found: Dataset = super().create_dataset(text, delimiter=delimiter_of(text), **kwargs)
        return cleaned(found)


class SpreadsheetXLSX(XLSX):  # type: ignore[misc]
    def create_dataset(self, in_stream: Any) -> Dataset:
        return cleaned(super().create_dataset(in_stream))


def cleaned(data: Dataset) -> Dataset:
    """Return a dataset without blank rows and without the blank columns behind the last header."""
    headers = [column_name(one) for one in data.headers or []]
    width = max((at for at, name in enumerate(headers, start=1) if name), default=0)
    found = Dataset(headers=headers[:width])
    for row in data:
        if any(str(cell or "").strip() for cell in row):
            found.append([from_text(cell) for cell in row[:width]])
    return found


def measure(data: bytes) -> None:
    """Raise :class:`Refused` if a file is larger than an import takes; nothing is parsed."""
    if not data.strip():
        raise Refused({"import_file": [gettext("The file is empty.")]})
    if len(data) > MOST_BYTES:
        raise Refused({"import_file": [
            gettext("This file has %(count)s MiB; the most is %(most_bytes)s.") % {"count": len(data) >> 20, "most_bytes": MOST_BYTES >> 20}
        ]})  # fmt: skip
    if not data.startswith(ZIP):
        return
    try:
        with ZipFile(BytesIO(data)) as packed:
            size = sum(one.file_size for one in packed.infolist())
    except BadZipFile as error:
        raise Refused({"import_file": [gettext("This is no workbook.")]}) from error
    if size > MOST_UNPACKED:
        raise Refused({"import_file": [
            gettext("Unpacked, this workbook has %(size)s MiB; the most is %(most_unpacked)s.") % {"size": size >> 20, "most_unpacked": MOST_UNPACKED >> 20}
        ]})  # fmt: skip


def parse(data: bytes) -> Dataset:
    """Return the table in a file, CSV or XLSX; raise :class:`Refused` if there is none.

    Rows are counted before they are kept.
    """
    measure(data)
    try:
        found = _workbook(data) if data.startswith(ZIP) else _csv(data)
    except Refused:
        raise
    except Exception as error:
        # Whatever the libraries stumble over, the file is not one that they can read.
        raise Refused(
            gettext("This is neither a CSV file in UTF-8 nor a workbook (XLSX).")
        ) from error
    if not len(found):
        raise Refused(gettext("There is no row below the names of the columns."))
    return found


def _csv(data: bytes) -> Dataset:
    text = data.decode("utf-8-sig")
    if "\n" not in text:
        # As the "CSV (Macintosh)" of spreadsheets.
        text = text.replace("\r", "\n")
    _count_rows(csv.reader(StringIO(text)))
    return SpreadsheetCSV().create_dataset(text)


def _workbook(data: bytes) -> Dataset:
    book = load_workbook(BytesIO(data), read_only=True, data_only=True)
    try:
        _count_rows(book.active.iter_rows() if book.active is not None else iter(()))
    finally:
        book.close()
    return SpreadsheetXLSX().create_dataset(data)


def _count_rows(rows: Iterable[Sequence[Any]]) -> None:
    """Raise :class:`Refused` once there are more rows or columns than an import takes.

    Every row is as wide as the widest in a table, so one long line would fill the memory.
    """
    for number, row in enumerate(rows):
        # The first one is of names.
        if number > MOST_ROWS:
            raise Refused(
                gettext("At most %(most_rows)s rows at a time.") % {"most_rows": MOST_ROWS}
            )
        if len(row) > MOST_COLUMNS:
            raise Refused(
                gettext("At most %(most_columns)s columns; row %(number)s has more.")
                % {"most_columns": MOST_COLUMNS, "number": number}
            )
