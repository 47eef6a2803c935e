"""Compiled queries return the same rows as the query itself, for every value."""

import uuid
from typing import Any

import pytest
from django.db.models import Exists, OuterRef, UUIDField

from controller.accounts.models import Organization
from controller.base.compiled_queries import CompiledQuery
from controller.configs.models import Config
from controller.devices.models import Device
from tests import factories

COLUMNS = ("pk", "name", "key", "created", "organization__is_active", "presence__last_ip")


def rows(**wanted: Any) -> Any:
    has_config = Exists(Config.objects.filter(device=OuterRef("pk")))
    found = Device.objects.filter(**wanted, is_deactivated=False).annotate(has=has_config)
    return found.values_list(*COLUMNS, "has")


@pytest.mark.django_db
def test_the_same_rows_for_each_value(organization: Organization) -> None:
    by_key = CompiledQuery(lambda pk: rows(pk=pk), pk=UUIDField())
    devices = [factories.device(organization), factories.device(organization, config=None)]
    for pk in (*(one.pk for one in devices), uuid.uuid4()):
        assert by_key(pk=pk) == list(rows(pk=pk))
    # Converted by the field: encrypted values decrypted, text as UUID.
    assert by_key(pk=devices[0].pk)[0][:3] == (
        devices[0].pk,
        devices[0].name,
        devices[0].key,
    )


@pytest.mark.django_db
def test_it_is_built_once(organization: Organization) -> None:
    built = []
    one = CompiledQuery(
        lambda organization: built.append(1) or rows(organization=organization),
        organization=UUIDField(),
    )
    first, second = factories.device(organization), factories.device(factories.organization())
    assert [name for _, name, *_ in one(organization=organization.pk)] == [first.name]
    assert [name for _, name, *_ in one(organization=second.organization_id)] == [second.name]
    assert built == [1]
