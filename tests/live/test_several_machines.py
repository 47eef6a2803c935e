"""Two web servers, two workers, PgBouncer and a read replica, of which one after the other dies."""

import os
import subprocess
import sys

import pytest

from tests.live.conftest import ROOT

pytestmark = [
    pytest.mark.live,
    # It has a PostgreSQL and a replica of its own, and is run once, with the tests on PostgreSQL.
    pytest.mark.skipif(
        not os.environ.get("DATABASE_URL", "").startswith("postgis:"),
        reason="SQLite is a file on one machine",
    ),
]


def test_of_several_machines_each_may_die() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.live.several_machines"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
