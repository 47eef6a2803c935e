"""Tables as spreadsheets write them: delimiters, headers, blank rows, and cells like formulas."""

import re
from typing import Any

from import_export.formats.base_formats import CSV, XLSX
from tablib import Dataset

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
