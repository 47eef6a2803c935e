"""Try mutants in forks of one process of pytest, which has imported everything already.

Loaded by script/mutate alone. A fork exchanges the code of the function in which the mutant is,
and runs the tests that reach it.
"""

import ast
import gc
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

from tests.plugins.mutations import mutated

SECONDS = 240


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
        if isinstance(one, FunctionType) and one.__code__.co_filename == str(path):
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


def attempt(session: pytest.Session, mutant: dict[str, Any], items: list[pytest.Item]) -> int:
    """Run the tests in a fork with the mutant. Returns 0 if all pass."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        status = 1
        try:
            exchange(Path.cwd() / mutant["path"], mutant["number"])
            for place, item in enumerate(items):
                following = items[place + 1] if place + 1 < len(items) else None
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if session.testsfailed:
                    break
            status = int(session.testsfailed > 0)
        finally:
            os._exit(status)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.05)
    os.killpg(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    wanted = json.loads(Path(os.environ["MUTANTS"]).read_text())
    known = {item.nodeid: item for item in session.items}
    with_rows = [
        item for item in session.items if "django_db_setup" in getattr(item, "fixturenames", ())
    ]
    # Makes the database, which stays as another test of the session is said to follow.
    for item in with_rows[:1]:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=item)
    session.testsfailed = 0
    with Path("results.jsonl").open("a") as results:
        for place, mutant in enumerate(wanted):
            items = [known[name] for name in mutant["tests"] if name in known]
            killed = bool(items) and attempt(session, mutant, items) != 0
            results.write(json.dumps([place, killed]) + "\n")
            results.flush()
    return True
