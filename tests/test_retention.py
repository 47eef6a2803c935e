"""Every table that grows has a rule, and the rules do what they say."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.db.models import Field
from django.utils import timezone

from controller import retention
from controller.base.management.commands.retention_reference import reference
from controller.configs.models import Push
from controller.connections.models import Command
from tests import factories
from tests.base.lease_queues import new_row

ROOT = Path(__file__).parents[1]


def test_every_table_is_pruned_or_named_as_inventory() -> None:
    known = [
        *{rule.label for rule in retention.RULES}, *retention.OWN, *retention.WITH,
        *retention.INVENTORY,
    ]  # fmt: skip
    assert len(known) == len(set(known)), "a table is named twice"
    # The database's own tables of reference systems are models once its backend is loaded.
    models = {one._meta.label for one in apps.get_models() if one._meta.app_label != "gis"}
    assert set(known) == models


@pytest.mark.django_db
@pytest.mark.parametrize("rule", retention.RULES, ids=lambda rule: rule.label)
def test_every_rule_fits_its_table(rule: retention.Rule, settings: Any) -> None:
    field = apps.get_model(rule.label)._meta.get_field(rule.since)
    assert isinstance(field, Field)
    assert field.get_internal_type() == "DateTimeField"
    assert retention.prune_table(rule) == 0
    if rule.setting:
        assert isinstance(getattr(django_settings, rule.setting), int)
        setattr(settings, rule.setting, 0)
        assert not rule.rows().exists()


@pytest.mark.parametrize("child", sorted(retention.WITH))
def test_rows_that_go_with_others_are_deleted_with_them(child: str) -> None:
    parent = apps.get_model(retention.WITH[child])
    cascades = [
        field
        for field in apps.get_model(child)._meta.fields
        if field.remote_field
        and field.remote_field.model is parent
        and field.remote_field.on_delete.__name__ == "CASCADE"
    ]
    assert cascades


@pytest.mark.django_db
def test_old_rows_go_in_small_batches_and_open_ones_stay(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    old = timezone.now() - timedelta(days=settings.MUSTER_HISTORY_DAYS + 1)
    for _ in range(5):
        row = new_row("pushes")
        Push.objects.filter(pk=row.pk).update(state="applied", ended=old)
    waiting, recent = new_row("pushes"), new_row("pushes")
    Push.objects.filter(pk=waiting.pk).update(created=old)
    Push.objects.filter(pk=recent.pk).update(state="applied", ended=timezone.now())
    assert retention.prune() == 5
    assert set(Push.objects.values_list("pk", flat=True)) == {waiting.pk, recent.pk}


@pytest.mark.django_db
def test_one_table_that_cannot_be_pruned_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = retention.Rule("configs.Push", "MUSTER_HISTORY_DAYS", "no_such_field")
    monkeypatch.setattr(retention, "RULES", (broken, *retention.RULES))
    old = timezone.now() - timedelta(days=1000)
    device = factories.device(factories.organization())
    Command.objects.create(device=device, type="reboot", status="success", ended=old)
    assert retention.prune() >= 1
    assert not Command.objects.exists()


def test_the_page_about_it_is_current() -> None:
    page = (ROOT / "docs/retention.md").read_text()
    assert page == reference(), "run manage.py retention_reference > docs/retention.md"
