"""Try mutants in forks of one process of pytest, which has imported everything already.

Loaded by script/mutate alone. Each test runs once while coverage.py records which lines of the
rules the test runs; the record stays in a file, and a test runs again only when its module or one
of those rules changes. For each mutant a fork exchanges the code of the function in which the
mutant is, and runs the tests that run its lines until one fails: quick ones and those whose module
names the function or its module first.
"""

import ast
import gc
import hashlib
import json
import os
import re
import resource
import signal
import sys
import time
import traceback
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import coverage
import pytest

from tests.plugins.mutations import mutated

# Time of the processor that the tests of one mutant have, and time in which a fork must end.
SECONDS = 12
LONGEST_SECONDS = 600
RUNNING = Path("running.txt")
FAILED = Path("failed.txt")
BROKEN = 3
SAVED_AFTER = 50


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


@cache
def source(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@cache
def digest(path: Path) -> str:
    """Return a digest of the code with its lines, without comments and docstrings."""
    tree = ast.parse(source(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.copy_location(ast.Constant(None), node)
    lines = [(type(node).__name__, getattr(node, "lineno", 0)) for node in ast.walk(tree)]
    return hashlib.sha256(f"{lines} {ast.dump(tree)}".encode()).hexdigest()


class Record:
    """Which lines of rules each test runs, in how many seconds, kept in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.tests: dict[str, Any] = {}
        self.read()

    def read(self) -> None:
        if self.file.exists():
            self.tests = json.loads(self.file.read_text()) | self.tests

    def is_current(self, item: pytest.Item) -> bool:
        known = self.tests.get(item.nodeid)
        return known is not None and all(
            digest(Path(path)) == value for path, value in known["digests"].items()
        )

    def complete(self, session: pytest.Session) -> None:
        """Run the tests of which nothing is known, or whose code has changed."""
        missing = [item for item in session.items if not self.is_current(item)]
        for start in range(0, len(missing), SAVED_AFTER):
            self.run(session, missing[start : start + SAVED_AFTER])
            self.read()  # what another process has found meanwhile
            new = self.file.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps(self.tests))
            new.rename(self.file)

    def run(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        recorder = coverage.Coverage(
            data_file=None, config_file=False, include=["*/rules/*", "*/rules.py"]
        )
        seconds = {}
        recorder.start()
        for item in items:
            recorder.switch_context(item.nodeid)
            began, failed = time.monotonic(), session.testsfailed
            try_test(session, item, None)
            if session.testsfailed == failed:
                seconds[item.nodeid] = time.monotonic() - began
        recorder.stop()
        for item in items:
            own = str(item.path.relative_to(Path.cwd()))
            self.tests[item.nodeid] = {
                "seconds": seconds.get(item.nodeid), "lines": {}, "digests": {own: digest(Path(own))},
            }  # fmt: skip
        data = recorder.get_data()
        for name in data.measured_files():
            path = str(Path(name).relative_to(Path.cwd()))
            for line, tests in data.contexts_by_lineno(name).items():
                for test in tests:
                    if known := self.tests.get(test):
                        known["lines"].setdefault(path, []).append(line)
                        known["digests"][path] = digest(Path(path))

    def cost(self, mutant: dict[str, Any], item: pytest.Item) -> float | None:
        """Return the test's place in the order; None if it does not run the mutant's lines."""
        known = self.tests[item.nodeid]
        lines = known["lines"].get(mutant["path"], ())
        inside = any(mutant["line"] <= line <= mutant["end"] for line in lines)
        module = mutant["path"].removesuffix(".py").removesuffix("/__init__").split("/")[-1]
        words = [rf"\b{mutant['function'] or module}\b", rf"\b{module}\b"]
        near = [bool(re.search(word, source(item.path))) for word in words]
        # A constant is noticed by tests of its module, or by tests that name the module.
        noticed = inside or (not mutant["function"] and (lines or near[0]))
        if known["seconds"] is None or not noticed:
            return None
        rank = next((rank for rank, found in enumerate(near) if found), len(words))
        return float(known["seconds"] + 0.1) * 4**rank


def failing(
    session: pytest.Session, mutant: dict[str, Any] | None, items: list[pytest.Item]
) -> str:
    """Run the tests in a fork with the mutant. Returns the test that fails first, or ""."""
    FAILED.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        used = int(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (used + 2 * SECONDS, used + 2 * SECONDS))
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
        time.sleep(0.02)
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
            ended = os.waitpid(pid, 0)
            break
    if os.WIFSIGNALED(ended[1]):
        return RUNNING.read_text()  # a test that does not end
    if ended[1]:
        raise RuntimeError(f"{mutant} could not be tried.")
    return FAILED.read_text() if FAILED.exists() else ""


def run(
    session: pytest.Session, mutant: dict[str, Any] | None, items: list[pytest.Item]
) -> None:
    if mutant is not None:
        exchange(Path.cwd() / mutant["path"], mutant["number"])
    began = time.process_time()
    for place, item in enumerate(items):
        RUNNING.write_text(item.nodeid)
        try_test(session, item, items[place + 1] if place + 1 < len(items) else None)
        if session.testsfailed:
            FAILED.write_text(item.nodeid)
        if session.testsfailed or time.process_time() > began + SECONDS:
            return


def try_test(session: pytest.Session, item: pytest.Item, following: pytest.Item | None) -> None:
    """Run a test; after the last one, what belongs to the session stays for other modules."""
    elsewhere = (other for other in session.items if other.path != item.path)
    item.config.hook.pytest_runtest_protocol(
        item=item, nextitem=following or next(elsewhere, None)
    )


def killer(session: pytest.Session, record: Record, mutant: dict[str, Any]) -> str:
    """Return the test that fails with the mutant and passes without it, or ""."""
    while True:
        costs = {item: record.cost(mutant, item) for item in session.items}
        items = sorted(
            (item for item in costs if costs[item] is not None), key=costs.__getitem__
        )
        name = failing(session, mutant, items) if items else ""
        alone = [item for item in items if item.nodeid == name]
        if not alone or not failing(session, None, alone):
            return name
        session.items.remove(alone[0])


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    folder = Path(os.environ["MUTANTS"])
    record = Record(folder.parent / "coverage.json")
    record.complete(session)
    # Makes the database, which stays.
    for item in session.items:
        if "django_db_setup" in getattr(item, "fixturenames", ()):
            try_test(session, item, None)
            break
    session.testsfailed = 0
    with (folder / "results.jsonl").open("a") as results:
        for mutant in json.loads((folder / "mutants.json").read_text()):
            results.write(json.dumps([mutant["name"], killer(session, record, mutant)]) + "\n")
            results.flush()
    return True
