"""The documentation against the code and against itself; mkdocs checks the links between pages."""

import re
from pathlib import Path

import pytest

from controller.base.management.commands.settings_reference import reference, settings_in

ROOT = Path(__file__).parents[1]


def test_every_setting_is_in_the_docs_and_explained() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    assert page == reference(), "run manage.py settings_reference > docs/settings.md"
    found = [one for name in ("environment.py", "settings.py") for one in settings_in(ROOT / "controller" / name)]  # fmt: skip
    assert [one.name for one in found if not one.about and one.kind != "secret"] == []


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_links_out_of_the_first_pages_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / name).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_picture_is_shown() -> None:
    text = "".join(page.read_text() for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")])
    pictures = {path.name for path in (ROOT / "docs/pictures").iterdir()}
    assert {name for name in pictures if name not in text} == set()
