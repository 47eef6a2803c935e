"""A list as CSV: the rows that are filtered, in their order, with the columns that are shown."""

import csv
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.html import strip_tags
from django.utils.http import content_disposition_header

from controller.base.changelist import IS_EXPORT, FastChangeList
from controller.base.tables import as_text

# Name of the parameter that asks a list for its CSV.
PARAMETER = "_export"
# A relative time has the exact one in its element.
TIME = re.compile(r'<time datetime="([^"]+)"[^>]*>.*?</time>', re.DOTALL)
BREAK = re.compile(r"</(?:div|p|li|small|span|a|code)>|<br\s*/?>")
BYTE_ORDER_MARK = "\ufeff"


def plain(value: Any) -> Any:
    """Return a cell of a page as text without markup, which no spreadsheet calculates."""
    text = TIME.sub(r"\1", str(value))
    text = unescape(strip_tags(BREAK.sub(" ", text)))
    return as_text(" ".join(text.split()))


def rows_as_text(shown: FastChangeList) -> Iterator[list[Any]]:
    columns = [column for column in shown.columns if column.name not in shown.hidden]
    yield [plain(column.label) for column in columns]
    for row in shown.result_list:
        yield [plain(column.text(row)) for column in columns]


def as_csv(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Return the rows that the list of a request would show on all its pages, as a file."""
    query = request.GET.copy()
    del query[PARAMETER]
    request.GET = query  # type: ignore[assignment]  # as it was, without the parameter
    setattr(request, IS_EXPORT, True)
    shown: FastChangeList = model_admin.get_changelist_instance(request)
    name = str(shown.opts.verbose_name_plural).replace(" ", "-")
    disposition = content_disposition_header(as_attachment=True, filename=f"{name}.csv")
    answer = HttpResponse(
        BYTE_ORDER_MARK,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": disposition},
    )
    csv.writer(answer).writerows(rows_as_text(shown))
    return answer
