"""Documentation checked against the code; mkdocs checks the links between pages."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import get_commands

from controller.base.management.commands.settings_reference import (
    SOURCES,
    reference,
    settings_in,
)

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
# Blocks of `sh` are run by tests/live/test_docs.py; commands must not be in other blocks.
LANGUAGES = {"sh", "text", "json", "python", "csv", "yaml"}
TYPED = re.compile(r"^(\$ |curl |python |\.venv/|docker |POST |PUT |PATCH )", re.MULTILINE)


def test_every_setting_is_in_the_docs_and_explained() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    assert page == reference(), "run manage.py settings_reference > docs/settings.md"
    found = [one for name in SOURCES for one in settings_in(ROOT / "controller" / name)]  # fmt: skip
    assert [one.name for one in found if not one.about and one.kind != "secret"] == []


def test_the_index_of_rules_is_current() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "script/where"], capture_output=True, check=True
    )
    page = (ROOT / "docs/where.md").read_text()
    assert page == made.stdout.decode(), "run script/where > docs/where.md"
    assert "|  |" not in page, "a module of rules has no docstring"


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_links_out_of_the_first_pages_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / name).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_picture_is_shown() -> None:
    text = "".join(page.read_text() for page in PAGES)
    pictures = {path.name for path in (ROOT / "docs/pictures").iterdir()}
    assert {name for name in pictures if name not in text} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_to_be_typed_stands_in_blocks_that_are_run(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r"^(<{7}|>{7}|={7}$)", text, re.MULTILINE), "left over from a merge"
    blocks = re.findall(r"^( *)```([^\n]*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    assert {language for _, language, _ in blocks} <= LANGUAGES
    assert [code for indent, _, code in blocks if indent] == []
    assert [
        code for _, language, code in blocks if language != "sh" and TYPED.search(code)
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    modules = re.findall(r"python -m ([\w.]+)", text)
    assert [name for name in modules if find_spec(name) is None] == []
    commands = re.findall(r"manage\.py ([a-z_]+)", text)
    assert [name for name in commands if name not in get_commands()] == []
    files = re.findall(r"`((?:agents|benchmarks|deploy|script|tests)/[\w./-]+)", text)
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_the_tests_that_the_documentation_names_exist() -> None:
    named = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
    found = [
        (page.name, *one) for page in (ROOT / "docs").glob("*.md")
        for one in named.findall(page.read_text())
    ]  # fmt: skip
    assert found
    for page, file, name in found:
        assert f"def {name}(" in (ROOT / file).read_text(), f"{page}: {file}::{name}"


PROMISE = re.compile(r"`(?:tests/[\w/]+\.py::\w+|script/[\w -]+)`")


def test_every_promise_about_security_names_its_test() -> None:
    page = (ROOT / "docs/security.md").read_text()
    table = page.partition("| threat |")[2].partition("\n\n")[0]
    rows = table.splitlines()[2:]
    assert len(rows) > 30
    assert [row for row in rows if not PROMISE.search(row.rsplit("|", 2)[1])] == []


@pytest.mark.parametrize("name", ["access.md", "security.md"])
def test_every_chapter_about_access_and_security_names_a_test(name: str) -> None:
    """A paragraph may promise several things; what it promises is tried by a test of its chapter."""
    _, *chapters = re.split(r"^## ", (ROOT / "docs" / name).read_text(), flags=re.MULTILINE)
    lacking = [
        one.splitlines()[0]
        for one in chapters
        if not PROMISE.search(one) and not one.startswith("For developers")
    ]
    assert lacking == []
