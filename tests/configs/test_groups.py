"""Templates of groups, for many devices at once."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import Organization
from controller.configs.models import Config, Template
from controller.configs.rules import groups, rendering, template_assignment
from controller.devices.models import DeviceGroup
from tests import factories

pytestmark = pytest.mark.django_db


def a_group(organization: Organization, size: int) -> tuple[DeviceGroup, list[Template]]:
    old, new = (factories.template(organization, name=f"{size} {name}") for name in "ab")
    group = groups.create_group(
        organization=organization, name=f"group of {size}", templates=[old]
    )
    for number in range(size):
        factories.device(organization, name=f"ap-{size}-{number}", group=group, config={})
    return group, [old, new]


def test_a_change_of_a_groups_templates_costs_the_same_for_many_devices(
    organization: Organization,
) -> None:
    counts = []
    for size in (2, 12):
        group, (_, new) = a_group(organization, size)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            groups.update_group(group, templates=[new])
        counts.append(len(queries))
        configs = Config.objects.filter(device__group=group)
        assert {tuple(one.templates.all()) for one in configs} == {(new,)}
        assert configs.stale().count() == size
        rendering.render_stale()
        assert not configs.stale().exists()
    assert counts[0] == counts[1] < 40


def test_what_a_device_has_beside_its_group_stays(organization: Organization) -> None:
    group, (_, new) = a_group(organization, 1)
    own = factories.template(organization, name="own")
    config = Config.objects.get()
    template_assignment.assign(config, [*config.templates.all(), own])
    groups.update_group(group, templates=[new])
    assert [use.template for use in config.uses.select_related("template")] == [own, new]


def test_one_device_that_cannot_be_rendered_does_not_refuse_the_change(
    organization: Organization,
) -> None:
    group, (_, new) = a_group(organization, 2)
    broken = Config.objects.filter(device__group=group).first()
    assert broken is not None
    Config.objects.filter(pk=broken.pk).update(config={"files": "nonsense"})
    groups.update_group(group, templates=[new])
    rendering.render_stale()
    states = Config.objects.filter(device__group=group).values_list("render_error", flat=True)
    assert sorted(bool(one) for one in states) == [False, True]


def test_a_deleted_group_leaves_its_devices_without_its_templates_at_one_cost(
    organization: Organization,
) -> None:
    counts = []
    for size in (2, 12):
        group, _ = a_group(organization, size)
        ids = list(Config.objects.filter(device__group=group).values_list("pk", flat=True))
        with CaptureQueriesContext(connection) as queries:
            groups.delete_group(group)
        counts.append(len(queries))
        rows = Config.objects.filter(pk__in=ids)
        assert rows.stale().count() == size
        assert not any(row.templates.exists() for row in rows)
        assert {row.device.group_id for row in rows} == {None}
    assert counts[0] == counts[1] < 40
