"""Access of every role to every route and method, compared with access.txt.

A route without a line fails and prints the missing line. Review that line before adding it:

    ACCESS=write pytest -n 0 tests/test_access.py     writes all lines that are missing or differ
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.demo_world import ACTORS, World, build
from tests.rollback import rolled_back
from tests.test_architecture import routes

pytestmark = pytest.mark.django_db
TABLE = Path(__file__).with_name("access.txt")
METHODS = ("get", "post", "put", "patch", "delete")
# Statuses by outcome; any other status means that access was granted.
STATUSES = {401: "!", 403: "-", 404: "0", 405: "x"}
SHARES = 8
# One shared client: each new one initializes the middleware again.
CLIENT = APIClient(raise_request_exception=False, HTTP_ACCEPT="application/json")
LEGEND = """\
# Who gets how far. + is let in; . is let in and sees nothing of this organization; - is told that it
# is not permitted (403); 0 is told that there is no such thing (404); ! has to sign in (401).
# Everybody but "other" and "anonymous" is a member of the one organization; where sites count,
# with a full grant for the site that all is in. ungranted, read and write are operators with no
# grant, a read grant and a write grant; key is an administrator's API key for device:read alone.
"""


def template_of(pattern: str) -> str:
    """Convert a route to OpenAPI's notation: /api/v1/sites/{pk}/."""
    # Brackets within a group are at most two deep.
    group = r"\(\?P<(\w+)>(?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
    path = re.sub(group, r"{\1}", pattern)
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)
    path = re.sub(r"\(\?:\\\(\{\w+\}\\\)\)\?", "", path)
    path = re.sub(r"\{suffix\}\??", "", path)
    return "/" + path.replace("/?", "/").replace("\\", "")


def operations() -> Iterator[tuple[str, str]]:
    for pattern, route in routes():
        if pattern.startswith("admin/"):
            continue
        view: Any = getattr(route.callback, "cls", None) or getattr(
            route.callback, "view_class", None
        )
        for method in METHODS if view else ("get", "post"):
            actions = getattr(route.callback, "actions", None)
            if view and not (method in actions if actions else hasattr(view, method)):
                continue
            if view and method not in getattr(view, "http_method_names", METHODS):
                continue
            yield method.upper(), template_of(pattern)


def table() -> dict[tuple[str, str], str]:
    lines = (line.split() for line in TABLE.read_text().splitlines() if line[:1] not in "# ")
    return {(method, path): found for method, path, found in lines}


def looked_at(world: World, method: str, template: str) -> str:
    """Return the outcome for every role, one character each."""
    return "".join(outcome(world, method, world.path(template), actor) for actor in ACTORS)


def outcome(world: World, method: str, path: str, actor: str) -> str:
    CLIENT.cookies.clear()
    with rolled_back():
        body = {} if method == "GET" else {"data": {}, "format": "json"}
        answer: Any = getattr(CLIENT, method.lower())(path, **body, **world.headers[actor])
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if answer.status_code == 500:
        return "X"
    if answer.status_code in STATUSES:
        return STATUSES[answer.status_code]
    text = content.decode(errors="replace")
    return "+" if method != "GET" or any(mark in text for mark in world.marks) else "."


def line(method: str, template: str, found: str) -> str:
    return f"{method:6} {template:74} {found}"


def write(lines: dict[tuple[str, str], str]) -> None:
    body = [line(*key, found) for key, found in sorted(lines.items(), key=lambda x: x[0][::-1])]
    columns = [f"# {at + 1:2} {actor}" for at, actor in enumerate(ACTORS)]
    TABLE.write_text(LEGEND + "\n".join([*columns, *body]) + "\n")


@pytest.mark.long
@pytest.mark.once
@pytest.mark.parametrize("share", range(SHARES))
def test_everybody_comes_as_far_as_the_table_says(share: int, settings: Any) -> None:
    for name in ("REQUESTS", "SIGN_INS", "TOKENS"):
        setattr(settings, f"MUSTER_{name}_PER_MINUTE", 0)
    world, known = build(), table()
    wrong = []
    for method, template in list(dict.fromkeys(operations()))[share::SHARES]:
        found = looked_at(world, method, template)
        if set(found) == {"x"}:
            continue
        if known.get((method, template)) != found or "X" in found:
            wrong.append((method, template, found))
    if wrong and os.environ.get("ACCESS") == "write":
        write(known | {(method, template): found for method, template, found in wrong})
        return
    assert not wrong, "tests/access.txt wants these lines, if they are right:\n" + "\n".join(
        f"{line(*one)}   (says {known.get(one[:2], 'nothing')})" for one in wrong
    )


def test_the_table_has_no_lines_for_routes_that_are_gone() -> None:
    assert set(table()) <= set(operations())
