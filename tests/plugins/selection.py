"""Selection, distribution and order of the tests."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Tests that mostly wait run sequentially in one process, in parallel to those that compute, and
# start first. (pytest-xdist's own mark for this, xdist_group, has no effect with pytest 9.2.)
# The first that fits is taken.
GROUPS = {
    "tests/browser/test_pages.py": "pages",
    "tests/browser/": "browser",
    "tests/live/": "portals",
    "tests/networks/test_overlay.py": "namespaces",
    "tests/networks/test_ways_live.py": "namespaces",
    "tests/vpn/test_tunnels.py": "namespaces",
    "tests/discovery/test_scans.py": "namespaces",
}
ROWS = {"db", "transactional_db", "live_server", "_django_db_helper"}
OPTION = "--only-database"


class Groups(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        found = (group for path, group in GROUPS.items() if nodeid.startswith(path))
        return next(found, nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    return Groups(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    about = "leave out the tests that say the same with each database"
    parser.addoption(OPTION, action="store_true", help=about)


def uses_the_database(item: Any) -> bool:
    if item.get_closest_marker("once") or item.get_closest_marker("browser"):
        return False
    marked = item.get_closest_marker("django_db") or item.get_closest_marker("live")
    return bool(marked or ROWS.intersection(item.fixturenames))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: Any, items: list[pytest.Item]) -> None:
    # A slow test that starts last would leave all other processes idle.
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    if config.getoption(OPTION):
        kept = [item for item in items if uses_the_database(item)]
        if hasattr(config, "workeroutput"):
            config.workeroutput[OPTION] = len(items) - len(kept)
        items[:] = kept


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get(OPTION, 0)


LEFT_OUT = pytest.StashKey[int]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if number := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(
            f"Left out: {number} tests that say the same with each database."
        )
