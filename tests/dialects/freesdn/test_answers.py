"""What FreeSDN's web client reads of each answer is there, on the pages that the portal fills."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.demo_world import World, build

CONTRACT = Path(__file__).parents[2] / "contract/freesdn_web_client.json"
ANSWERS: dict[str, Any] = json.loads(CONTRACT.read_text())["answers"]


def lacking(expected: dict[str, Any], found: Any, where: str = "") -> Iterator[str]:
    """Yield the names that an answer lacks; of a list, those of its first row."""
    if isinstance(found, list):
        if found:
            yield from lacking(expected, found[0], where)
        return
    for name, inner in expected.items():
        if not isinstance(found, dict) or name not in found:
            yield f"{where}{name}"
        elif inner and found[name] is not None:
            yield from lacking(inner, found[name], f"{where}{name}.")


def path_of(world: World, template: str) -> str:
    path, _, query = template.partition("?")
    own = re.sub(r"\{(site|device|org|organization|gateway)_id\}", r"{\1}", path)
    rows = {
        "{site}": world.site.pk, "{organization}": world.organization.pk,
        "{org}": world.organization.pk, "{device}": world.rows["device"],
        "{gateway}": world.rows["gateways"], "{scan_id}": world.rows["discovery/scan"],
    }  # fmt: skip
    for name, value in rows.items():
        own = own.replace(name, str(value))
    return f"{own}?{query}"


@pytest.mark.django_db
def test_every_answer_has_the_fields_that_the_web_client_reads(client: Client) -> None:
    world = build()
    wrong = []
    for template, expected in ANSWERS.items():
        answer = client.get(path_of(world, template), **world.headers["super"])
        if answer.status_code != 200:
            wrong.append(f"{template}: {answer.status_code}")
        elif names := list(lacking(expected, answer.json())):
            wrong.append(f"{template}: lacks {names}")
    assert not wrong, "\n".join(wrong)
