"""Every route, with every method, in every format: no crash, and the status that HTTP has for it.

Pages for people are held to what the same address tells programs, and their forms to what may
be changed there.
"""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.demo_world import World, build
from tests.rollback import rolled_back
from tests.test_access import operations, template_of
from tests.test_architecture import routes

pytestmark = [pytest.mark.django_db, pytest.mark.long, pytest.mark.once]
SHARES = 4
WRITES = ("POST", "PUT", "PATCH", "DELETE")
# What an error says of the program in place of a sentence.
INNER = re.compile(r"ErrorDetail\(|OrderedDict\(|(?:<|&lt;)[\w.]+ object at 0x")
UNKNOWN = ("TRACE", "PROPFIND")
ACTORS = ("anonymous", "viewer", "super")
# What a route may answer when its device, or a service that is switched off, is asked.
UPSTREAM = {501, 502, 503, 504}
# Read by programs alone.
ALWAYS_JSON = re.compile(r"/api/v1/openapi.json|.*/hassio/.*|.*/health/?(live|ready)?")
# HTML has no input for lists of texts and for objects: they are written as JSON.
LISTS = {"list", "field", "nested object"}
CLIENT = APIClient(raise_request_exception=False)


@dataclass
class Answer:
    status: int
    kind: str
    text: str


def templates() -> list[str]:
    found = (template_of(p) for p, _ in routes() if not p.startswith("admin/"))
    return list(dict.fromkeys(found))


def ask(world: World, actor: str, method: str, path: str, how: str = "json") -> Answer:
    accept = "text/html,application/xhtml+xml" if how == "html" else "application/json"
    body: dict[str, Any] = {}
    if method in WRITES:
        form = {"data": "", "content_type": "application/x-www-form-urlencoded"}
        body = {"data": {}, "format": "json"} if how == "json" else form
    CLIENT.cookies.clear()
    with rolled_back():
        answer: Any = (
            getattr(CLIENT, method.lower())(
                path, **body, HTTP_ACCEPT=accept, **world.headers[actor]
            )
            if method != "PROPFIND"
            else CLIENT.generic(method, path, HTTP_ACCEPT=accept, **world.headers[actor])
        )
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return Answer(
        answer.status_code, answer.get("Content-Type", ""), content.decode(errors="replace")
    )


def tried(world: World, template: str, offered: set[str]) -> Iterator[str]:
    """What is wrong with the answers of this route."""
    path = world.path(template)
    for actor in ACTORS:
        for method, how in asked_of(actor, offered):
            answer = ask(world, actor, method, path, how)
            if problem := problem_of(answer, actor, method, offered):
                yield f"{method} {template} as {actor}, {how}: {answer.status} {problem}"
    if "GET" in offered:
        yield from wrong_pages(world, template, path)


def asked_of(actor: str, offered: set[str]) -> Iterator[tuple[str, str]]:
    for method in ("OPTIONS", *UNKNOWN):
        yield method, "json"
    yield "OPTIONS", "html"
    for method in WRITES:
        if method in offered:
            yield method, "json"
            yield method, "form"
            yield method, "html"
        elif actor == "super":
            yield method, "json"


def problem_of(answer: Answer, actor: str, method: str, offered: set[str]) -> str:
    if answer.status >= 500 and answer.status not in UPSTREAM:
        return "is a crash"
    if INNER.search(answer.text):
        return "shows an object of the program"
    # A page that asks to sign in, or that is only a way to another.
    refused = {302, 401, 403, 404, 405}
    if method in UNKNOWN and answer.status not in refused:
        return "lets an unknown method in"
    if method == "OPTIONS" and answer.status not in refused | {200, 204}:
        return "does not tell what may be done"
    if method in WRITES and method not in offered and answer.status not in refused:
        return "lets a method in that is not offered"
    return ""


def wrong_pages(world: World, template: str, path: str) -> Iterator[str]:
    for actor in ACTORS:
        told = ask(world, actor, "GET", path)
        page = ask(world, actor, "GET", path, "html")
        where = f"GET {template} as {actor}: "
        if told.status >= 500 and told.status not in UPSTREAM:
            yield f"{where}{told.status} is a crash"
        if page.status != told.status:
            yield f"{where}{page.status} as a page, {told.status} as JSON"
        if page.status == 200 and actor != "anonymous" and told.kind == "application/json":
            yield from (f"{where}{one}" for one in wrong_forms(world, path, actor, page, told))


def wrong_forms(
    world: World, path: str, actor: str, page: Answer, told: Answer
) -> Iterator[str]:
    """Each change in OPTIONS has a form with its fields, and one row's is filled."""
    if not page.kind.startswith("text/html"):
        if not ALWAYS_JSON.fullmatch(path):
            yield "is no page"
        return
    options = json.loads(ask(world, actor, "OPTIONS", path).text)
    row = json.loads(told.text)
    for method, fields in options.get("actions", {}).items():
        form = form_of(page.text, method)
        written = [name for name, field in fields.items() if not field["read_only"]]
        lacking = [name for name in written if not has_field(form, name)]
        if any(f"&quot;{name}&quot;:" not in page.text for name in lacking) or (
            [one for one in lacking if fields[one]["type"] not in LISTS]
        ):
            yield f"the {method} form lacks {lacking}"
        for name in written if method == "PUT" and isinstance(row, dict) else ():
            value = row.get(name) if fields[name]["type"] != "datetime" else None
            if isinstance(value, str) and value and html.escape(value) not in form:
                yield f"the form's {name} is not filled"


def form_of(page: str, method: str) -> str:
    """The page's form of fields, which stands before the one of raw data."""
    marks = {"PUT": 'id="put-object-form"', "POST": 'id="post-object-form"'}
    _, _, rest = page.partition(marks[method])
    return rest.partition("</form>")[0]


def has_field(form: str, name: str) -> bool:
    return re.search(rf'name="{name}[".\[]', form) is not None


@pytest.mark.parametrize("share", range(SHARES))
def test_every_route_answers_every_method(share: int, settings: Any) -> None:
    for name in ("REQUESTS", "SIGN_INS", "TOKENS"):
        setattr(settings, f"MUSTER_{name}_PER_MINUTE", 0)
    world, offered = build(), {}
    for method, template in operations():
        offered.setdefault(template, set()).add(method)
    wrong = [
        problem
        for template in templates()[share::SHARES]
        for problem in tried(world, template, offered.get(template, set()))
    ]
    assert not wrong, "\n".join(wrong)
