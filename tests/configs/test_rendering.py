"""Rendering of stale configurations: shared by workers, and written in batches."""

from typing import Any
from uuid import UUID

import pytest

from controller.accounts.models import Organization
from controller.base.database import update_columns
from controller.base.redis_lock import turn
from controller.configs.models import Config
from controller.configs.rules import rendering
from controller.configs.rules.templates import update_template
from tests import factories


def stale() -> set[str]:
    """Return the first digits of the ids of stale configurations."""
    return {pk.hex[0] for pk in Config.objects.stale().values_list("pk", flat=True)}


@pytest.mark.django_db
def test_a_part_that_another_worker_renders_is_left_to_it(organization: Organization) -> None:
    template = factories.template(organization)
    for digit in "05af":
        device = factories.device(organization)
        Config.objects.create(pk=UUID(f"{digit}{'1' * 31}"), device=device).uses.create(
            template=template, position=0
        )
    rendering.render_stale()
    assert stale() == set()
    update_template(template, config=factories.a_file("changed"))
    assert stale() == {"0", "5", "a", "f"}
    with turn("render 4567", seconds=1):
        assert rendering.render_stale() == 3
    assert stale() == {"5"}
    assert rendering.render_stale() == 1
    assert stale() == set()


@pytest.mark.django_db
@pytest.mark.parametrize(("devices", "messages"), [(1, 1), (3, 2), (9, 4), (20, 4)])
def test_large_changes_are_told_to_several_workers(
    organization: Organization, monkeypatch: pytest.MonkeyPatch, devices: int, messages: int
) -> None:
    monkeypatch.setattr(rendering, "BATCH", 2)
    sent: list[str] = []
    monkeypatch.setattr(rendering, "enqueue_on_commit", sent.append)
    for _ in range(devices):
        Config.objects.create(device=factories.device(organization))
    assert rendering.mark_stale(Config.objects.all()) == devices
    assert sent == [rendering.RENDER] * messages


@pytest.mark.django_db
def test_columns_are_written_as_a_save_writes_them(organization: Organization) -> None:
    rows = [
        Config.objects.create(device=factories.device(organization), context={"a": "1"})
        for _ in range(3)
    ]
    values: list[dict[str, Any]] = [{"b": "ä"}, {}, {"c": "%s"}]
    for row, context in zip(rows, values, strict=True):
        row.context, row.render_error, row.error_reason = context, "100 %", "not written"
    update_columns(rows, "context", "render_error")
    update_columns([], "context")
    for row, context in zip(rows, values, strict=True):
        found = Config.objects.get(pk=row.pk)
        assert (found.context, found.render_error) == (context, "100 %")
        assert found.error_reason == ""
