"""The database crashes in the middle of an import and is away for a minute."""

import os
import subprocess
import sys

import pytest

from benchmarks.stage import postgres_tools
from tests.live.conftest import ROOT

pytestmark = [
    pytest.mark.live,
    # It has a PostgreSQL of its own to crash, and is run once, with the tests on PostgreSQL.
    pytest.mark.skipif(
        not os.environ.get("DATABASE_URL", "").startswith("postgis:"),
        reason="SQLite is a file, and cannot be away",
    ),
]


def test_a_database_that_crashes_and_is_away_for_a_minute_costs_time_alone() -> None:
    assert postgres_tools().is_dir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.live.database_away"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
