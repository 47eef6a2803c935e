"""Filters, orders and expansions of OData over plain rows."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies

from controller.base.errors import Refused
from supervisor_proxy.engine.odata import parse
from supervisor_proxy.engine.odata_rows import check_names, found_in, related_in, shown_of

ROWS: list[dict[str, Any]] = [
    {"id": 1, "name": "O'Brien é", "note": None, "load": 0.5, "on": True,
     "at": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
     "app": [{"id": 7, "slug": "x/a"}], "tags": [{"id": 1, "key": "k"}, {"id": 2, "key": "l"}]},
    {"id": 2, "name": "second", "note": "roof", "load": None, "on": False, "at": None,
     "app": [], "tags": []},
]  # fmt: skip


def found(wanted: str) -> list[int]:
    query = parse({"$filter": wanted})
    check_names(query, ROWS[0].keys())
    return [row["id"] for row in found_in(ROWS, query)]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ("name eq 'O''Brien é'", [1]), ("'second' eq name", [2]), ("note eq null", [1]),
        ("note ne null", [2]), ("note ne 'roof'", [1]), ("not (note eq 'roof')", [1]),
        ("not note eq 'roof'", [1]), ("not not on", [1]), ("on", [1]), ("(on) eq false", [2]),
        ("load gt 0.4", [1]), ("load lt 9", [1]), ("load le 0.5 or id ge 2", [1, 2]),
        ("id eq 1 or id eq 2 and id eq 3", [1]), ("(id eq 1 or id eq 2) and id eq 3", []),
        ("id in (2, 3)", [2]), ("id in ()", []), ("note in (null)", [1]), ("1 eq 1", [1, 2]),
        ("id eq -1", []), ("true", [1, 2]), ("null eq null", [1, 2]), ("false", []),
        ("contains(name,'rien')", [1]), ("substringof('rien',name)", [1]),
        ("startswith(toupper(name),'SEC')", [2]), ("length(name) gt 6", [1]),
        ("indexof(name,'cond') eq 2", [2]), ("concat(name,'!') eq 'second!'", [2]),
        ("substring(name,3) eq 'ond'", [2]), ("substring(name,0,3) eq 'sec'", [2]),
        ("trim(note) eq 'roof'", [2]), ("contains(note,'x') eq null", [1]),
        ("at eq datetime'2026-03-04T05:06:07Z'", [1]), ("at gt 2026-03-04", [1]),
        ("at lt '2026-03-04T06:06:07+01:00'", []), ("at le 2026-03-04T05:06:07Z", [1]),
        ("at lt now()", [1]), ("year(at) eq 2026 and minute(at) eq 6", [1]), ("at eq null", [2]),
        ("app eq 7", [1]), ("app/slug eq 'x/a'", [1]), ("app/id eq null", [2]),
        ("app/any()", [1]), ("not app/any()", [2]), ("app/any(a:a/id eq 7)", [1]),
        ("app/any(a:(a/id eq 8) or startswith(a/slug,'x'))", [1]),
        ("app/any(a:a/id eq 7 and id eq 2)", []), ("tags/all(t:t/id gt 1)", [2]),
        ("tags/any(t:t/key eq 'l')", [1]), ("tags/$count eq 2", [1]), ("app/any(a:1 eq 1)", [1]),
        ("nothing/any(n:n/id eq 1)", []), ("nothing/all(n:n/id eq 1)", [1, 2]),
    ],
)  # fmt: skip
def test_a_filter_finds_what_it_says(wanted: str, ids: list[int]) -> None:
    assert found(wanted) == ids


@pytest.mark.parametrize(
    "wanted",
    [
        "foo eq 1", "foo/any(f:f/id eq 1) and bar", "app/nothing eq 1", "tags/any(t:t/x eq 1)",
        "id eq '1'", "name gt 5", "name eq true", "at gt 'soon'", "year(name) eq 1",
        "tolower(id) eq '1'", "id eq 1.5.2", "id eq 99999999999999999999", "id eq", "eq 1",
        "id eq 1 and", "id eq 1)", "(id eq 1", "tolower() eq 'x'", "sin(id) eq 1", "id add 1 eq 2",
        "at gt datetime'2026-13-01'", "tags/any(t)", "substring(name,'x') eq 'x'", "tags/any(t:)",
        "x" * 30_000, "(" * 400 + "id eq 1" + ")" * 400, "not " * 3 + "and",
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused(wanted: str) -> None:
    with pytest.raises(Refused) as refusal:
        found(wanted)
    assert refusal.value.code == "odata"


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"$select": "id", "$top": "0"}, []),
        ({"$select": "id", "$skip": "1"}, [{"id": 2}]),
        ({"$select": "id", "$orderby": "note desc"}, [{"id": 1}, {"id": 2}]),
        ({"$select": "id", "$orderby": "note"}, [{"id": 2}, {"id": 1}]),
        ({"$select": "id", "$orderby": "tags/$count asc,id"}, [{"id": 2}, {"id": 1}]),
        ({"$select": "id", "$orderby": "app/slug desc", "$top": "1"}, [{"id": 2}]),
        ({"$select": "id,x", "$top": "1"}, [{"id": 1, "x": None}]),
        (
            {"$select": "id", "$top": "1", "$expand": "tags($select=key;$orderby=key desc)"},
            [{"id": 1, "tags": [{"key": "l"}, {"key": "k"}]}],
        ),
        (
            {"$select": "id", "$top": "1", "$expand": "tags($top=1;$skip=1;$count=true;$select=id)"},
            [{"id": 1, "tags": [{"id": 2}], "tags@odata.count": 2}],
        ),
        (
            {"$select": "id", "$expand": "tags/$count($filter=key eq 'k'),nothing($select=id)"},
            [{"id": 1, "tags": 1, "nothing": []}, {"id": 2, "tags": 0, "nothing": []}],
        ),
        ({"$select": "app", "$format": "json"}, [{"app": {"__id": 7}}, {"app": None}]),
    ],
)  # fmt: skip
def test_rows_are_ordered_cut_and_expanded(options: dict[str, str], shown: Any) -> None:
    query = parse(options)
    assert shown_of(found_in(ROWS, query), query) == shown


@pytest.mark.parametrize(
    "options",
    [
        {"$count": "x"}, {"$format": "xml"}, {"$top": "-1"}, {"$orderby": "id up"},
        {"$orderby": "a/(b)"}, {"$expand": "tags/$count($top=1)"}, {"$expand": "*"},
        {"$expand": "a/b"}, {"$select": "a/b"}, {"$inlinecount": "allpages"},
    ],
)  # fmt: skip
def test_options_that_are_not_known_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(Refused):
        parse(options)


def test_a_filter_tells_which_related_rows_it_asks() -> None:
    query = parse(
        {"$filter": "id eq 1 and not a/any(x:x/id eq 1) or b/all(y:y/c/any(z:z/d eq 1))"}
    )
    assert related_in(query.where) == {"a", "b", "y", "c"}


WORDS = (
    "id", "name", "at", "on", "load", "app", "tags", "app/slug", "tags/any", "app/all", "x/$count",
    "eq", "ne", "gt", "in", "and", "or", "not", "(", ")", ",", ":", "t", "t/id", "null", "true",
    "1", "0.5", "'a'", "datetime'2026-01-01'", "now", "startswith", "substring", "year", "length",
)  # fmt: skip


@given(strategies.lists(strategies.sampled_from(WORDS), max_size=12))
def test_any_text_is_answered_or_refused(words: list[str]) -> None:
    with suppress(Refused):
        found(" ".join(words))
