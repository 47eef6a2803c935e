"""Try mutants in forks of one process of pytest, which has imported everything already.

Loaded by script/mutate alone. A fork exchanges the code of the function in which the mutant is,
and runs tests until one fails: first those whose module names the function, then those that name
its module, then all others.
"""

import ast
import gc
import json
import os
import re
import signal
import sys
import time
import traceback
from functools import cache, partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

from tests.plugins.mutations import mutated

# Time of the processor that the tests of one mutant have, and time in which a fork must end.
SECONDS = 30
LONGEST_SECONDS = 300
FAILED = Path("failed.txt")
BROKEN = 3


def codes(code: CodeType) -> dict[tuple[str, int], CodeType]:
    """Return all code objects inside this one, by their name and first line."""
    found = {}
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            found[inner.co_qualname, inner.co_firstlineno] = inner
            found |= codes(inner)
    return found


def exchange(path: Path, number: int) -> None:
    """Let the functions and constants of a module be those of the mutant."""
    text = path.read_text()
    tree = mutated(text, number)
    new = codes(compile(tree, str(path), "exec"))
    for one in gc.get_objects():
        if type(one) is FunctionType and one.__code__.co_filename == str(path):
            code = new.get((one.__code__.co_qualname, one.__code__.co_firstlineno))
            if code is not None and code != one.__code__:
                one.__code__ = code
    before = ast.parse(text)
    name = ".".join(path.relative_to(Path.cwd()).with_suffix("").parts).removesuffix(
        ".__init__"
    )
    for old, top in zip(before.body, tree.body, strict=True):
        if isinstance(top, ast.Assign) and ast.dump(old) != ast.dump(top):
            set_constants(name, top)


def set_constants(module: str, assignment: ast.Assign) -> None:
    """Run the assignment in its module, and in all that imported the names."""
    space = vars(sys.modules[module])
    former = dict(space)
    exec(compile(ast.Module([assignment], []), module, "exec"), space)  # noqa: S102 - a constant of ours
    names = {node.id for target in assignment.targets for node in ast.walk(target)
             if isinstance(node, ast.Name)}  # fmt: skip
    for other in list(sys.modules.values()):
        for name in names & vars(other).keys():
            if vars(other)[name] is former[name]:
                setattr(other, name, space[name])


def relevance(mutant: dict[str, Any], item: pytest.Item) -> int:
    """Return 0 for a test that names the mutant's function, 1 for its module, else 2."""
    text = source(item.path)
    module = mutant["path"].removesuffix(".py").removesuffix("/__init__").split("/")[-1]
    words = [rf"\b{mutant['function'] or module}\b", rf"\b{module}\b"]
    return next((rank for rank, word in enumerate(words) if re.search(word, text)), 2)


@cache
def source(path: Path) -> str:
    return path.read_text()


def failing(
    session: pytest.Session, mutant: dict[str, Any] | None, items: list[pytest.Item]
) -> str:
    """Run the tests in a fork with the mutant. Returns the test that fails first, or ""."""
    FAILED.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        status = BROKEN
        try:
            run(session, mutant, items)
            status = 0
        except Exception:  # noqa: BLE001 - told by the parent
            traceback.print_exc()
        finally:
            os._exit(status)
    deadline = time.monotonic() + LONGEST_SECONDS
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        time.sleep(0.05)
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return "a test that does not end"
    if ended[1]:
        raise RuntimeError(f"{mutant} could not be tried.")
    return FAILED.read_text() if FAILED.exists() else ""


def run(
    session: pytest.Session, mutant: dict[str, Any] | None, items: list[pytest.Item]
) -> None:
    if mutant is not None:
        exchange(Path.cwd() / mutant["path"], mutant["number"])
    for place, item in enumerate(items):
        try_test(session, item, items[place + 1] if place + 1 < len(items) else None)
        if session.testsfailed:
            FAILED.write_text(item.nodeid)
        if session.testsfailed or time.process_time() > SECONDS:
            return


def try_test(session: pytest.Session, item: pytest.Item, following: pytest.Item | None) -> None:
    """Run a test; after the last one, what belongs to the session stays for other modules."""
    elsewhere = (other for other in session.items if other.path != item.path)
    item.config.hook.pytest_runtest_protocol(
        item=item, nextitem=following or next(elsewhere, None)
    )


def is_killed(session: pytest.Session, mutant: dict[str, Any]) -> bool:
    """Return whether a test fails with the mutant that passes without it."""
    while True:
        items = sorted(session.items, key=partial(relevance, mutant))
        name = failing(session, mutant, items)
        alone = [item for item in items if item.nodeid == name]
        if not alone or not failing(session, None, alone):
            return bool(name)
        session.items.remove(alone[0])


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    wanted = json.loads(Path(os.environ["MUTANTS"]).read_text())
    # Makes the database, which stays.
    for item in session.items:
        if "django_db_setup" in getattr(item, "fixturenames", ()):
            try_test(session, item, None)
            break
    session.testsfailed = 0
    with Path("results.jsonl").open("a") as results:
        for place, mutant in enumerate(wanted):
            results.write(json.dumps([place, is_killed(session, mutant)]) + "\n")
            results.flush()
    return True
