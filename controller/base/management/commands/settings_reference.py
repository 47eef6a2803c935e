"""Print every setting read from the environment, for docs/settings.md."""

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

FOLDER = Path(__file__).parents[3]
# Modules of the project that read the environment.
SOURCES = ("environment.py", "network_settings.py", "storage_settings.py", "settings.py")
TYPES = {"str": "text", "bool": "yes or no", "int": "number", "float": "number", "json": "JSON"}
HEAD = """# Settings

Every value comes from the environment. Made by `python manage.py settings_reference`, from the code
that reads them. *Yes or no* is `1` or `0`; lists are separated by commas.

| variable | kind | usual | what it is |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Setting:
    name: str
    kind: str
    usual: str
    about: str

    def __str__(self) -> str:
        usual = f"`{self.usual}`" if self.usual else ""
        return f"| `{self.name}` | {self.kind} | {usual} | {self.about} |"


def settings_in(path: Path) -> Iterator[Setting]:
    """Yield a module's settings, each with the comment or docstring that explains it."""
    source = path.read_text()
    lines = source.splitlines()
    for block in ast.parse(source).body:
        for call in ast.walk(block):
            if (found := _read(call)) is not None:
                name, kind, usual = found
                about = _docstring(block) or _comment(lines, call.lineno)  # type: ignore[attr-defined]
                yield Setting(name, kind, usual, about)


def _read(node: ast.AST) -> tuple[str, str, str] | None:
    """Parse ``env.int("NAME", 7)`` into name, type and default; None for other nodes."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name("env"), attr=kind),
            args=[ast.Constant(str(name)), *rest],
        ):
            return name, TYPES.get(kind, kind), _usual(rest)
        case ast.Call(func=ast.Name("secret"), args=[ast.Constant(str(name))]):
            return name, "secret", ""
    return None


def _usual(rest: list[Any]) -> str:
    match rest:
        case [ast.Constant(bool(value))]:
            return str(int(value))
        case [ast.Constant(value)]:
            return str(value)
        case [ast.Call() as nested] if (found := _read(nested)) is not None:
            return found[2]
        case [ast.List(elements)]:
            return ",".join(str(one.value) for one in elements if isinstance(one, ast.Constant))
        case [ast.BinOp() | ast.Dict() | ast.UnaryOp() as value]:
            return ast.unparse(value)
    return ""


def _docstring(block: ast.stmt) -> str:
    if not isinstance(block, ast.FunctionDef):
        return ""
    text = (ast.get_docstring(block) or "").partition("\n\n")[0]
    return re.sub(r"^``\w+``( as|:) ?", "", " ".join(text.split())).replace("``", "`")


def _comment(lines: list[str], number: int) -> str:
    """Return the comment above a line, skipping other settings that share it."""
    at = number - 2
    while at >= 0 and re.match(r"[A-Z_]+\b.*env\.|    ", lines[at]):
        at -= 1
    found: list[str] = []
    while at >= 0 and lines[at].startswith("#") and not lines[at].startswith("# ---"):
        found.insert(0, lines[at].lstrip("# "))
        at -= 1
    return " ".join(found)


def reference() -> str:
    rows = {one.name: one for name in SOURCES for one in settings_in(FOLDER / name)}
    return HEAD + "".join(f"{row}\n" for _, row in sorted(rows.items()))


class Command(BaseCommand):
    help = textwrap.dedent(__doc__)

    def handle(self, *_: Any, **__: Any) -> None:
        self.stdout.write(reference(), ending="")
