"""Every filter of every list takes any text: an answer or a bad value, never a crash."""

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.http import QueryDict
from django.test import RequestFactory
from django_filters import FilterSet, IsoDateTimeFilter
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

import controller
import geo
import networks
import pki
import supervisor_proxy
from controller.accounts.models import User
from controller.dialects.filters import MomentFilter

ROOTS = (controller, geo, networks, pki, supervisor_proxy)
# The ends of calendars and of numbers, and what is neither.
NASTY = (
    "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+14:00", "0000-00-00", "10000-01-01",
    "2024-02-30T00:00:00Z", "9999-12-31", "0001-01-01", "-1", "99999999999999999999999999",
    "1e999", "-1e400", "nan", "Infinity", "\x00", "٣", "00:11:22:33:44:55", "'", "%", "_",
    "00000000-0000-0000-0000-000000000000", "true", "[]", "1,2,x", ",", " ", "4000-01-01T24:00:00Z",
    "-1,-18,1,-15", "179,0,-179,1", "1,1,1,1", "POINT(1e400 0)", "fe80::1%br-lan",
)  # fmt: skip


def sets() -> Iterator[type[FilterSet]]:
    for root in ROOTS:
        for module in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
            if ".api" in module.name and "filters" in module.name:
                importlib.import_module(module.name)
    waiting = [FilterSet]
    while waiting:
        for one in waiting.pop().__subclasses__():
            waiting.append(one)
            if one._meta.model is not None and one.__module__.partition(".")[0] != "tests":
                yield one


SETS = sorted(set(sets()), key=lambda one: (one.__module__, one.__qualname__))


def asked(kind: type[FilterSet], user: User, name: str, text: str) -> None:
    request = RequestFactory().get("/")
    request.user = user
    data = QueryDict(mutable=True)
    data[name] = text
    model: Any = kind._meta.model
    found = kind(data, model._default_manager.all(), request=request)
    # Some filter by what only their view's rows have.
    with suppress(FieldError, ValidationError):
        if found.is_valid():
            list(found.qs.values_list("pk")[:1])


def test_there_are_filters() -> None:
    assert len(SETS) > 20


def test_moments_are_asked_for_by_one_filter() -> None:
    strays = [
        f"{kind.__module__}.{kind.__name__}.{name}"
        for kind in SETS
        for name, one in kind.base_filters.items()
        if isinstance(one, IsoDateTimeFilter) and not isinstance(one, MomentFilter)
    ]
    assert strays == []


@pytest.mark.django_db
@pytest.mark.parametrize("kind", SETS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_no_value_of_a_filter_is_a_crash(kind: type[FilterSet], admin: User) -> None:
    for name in kind.base_filters:
        for text in NASTY:
            asked(kind, admin, name, text)


@pytest.mark.django_db
@bounds(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_text_at_all_is_a_crash(data: st.DataObject, admin: User) -> None:
    kind = data.draw(st.sampled_from(SETS))
    if kind.base_filters:
        name = data.draw(st.sampled_from(sorted(kind.base_filters)))
        texts = st.one_of(
            st.text(max_size=40), st.datetimes().map(str), st.integers().map(str),
            st.floats().map(str), st.uuids().map(str), st.ip_addresses().map(str),
        )  # fmt: skip
        asked(kind, admin, name, data.draw(texts))
