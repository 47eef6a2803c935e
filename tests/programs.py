"""Programs of this machine that tests run. A program counts when it answers, not by its name."""

import shutil
import subprocess
from collections.abc import Iterable
from functools import cache


@cache
def works(*command: str) -> bool:
    """Return whether the command can be run and succeeds.

    A file of the right name may be a shim that has no program behind it.
    """
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def find_python(candidates: Iterable[str], *, minor: int) -> str | None:
    """Return the first candidate that is CPython 3 of this minor release or later."""
    check = f"import sys, venv, ensurepip; sys.exit(sys.version_info < (3, {minor}))"
    found = filter(None, map(shutil.which, candidates))
    return next((path for path in found if works(path, "-c", check)), None)
