"""Programs of other people, installed unmodified by script/clients."""

import subprocess
from functools import cache
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "script/clients"


@cache
def _installed() -> tuple[str, str]:
    """Return the folder of the programs, and the reason why there is none."""
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout.strip(), ""
    return "", f"script/clients failed: {done.stderr.strip()[-300:]}"


def folder() -> Path:
    found, reason = _installed()
    if not found:
        pytest.skip(reason)
    return Path(found)


def python(module: str) -> Path:
    """Return the Python that has the clients; skip the test if it lacks this module."""
    found = folder() / "venv/bin/python"
    done = subprocess.run([found, "-c", f"import {module}"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"{module} is not installed: it needs a later Python than there is here")
    return found


def node() -> Path:
    """Return the node that the clients need, which is later than the system's."""
    modules = folder() / "node_modules"
    found = next(modules.glob("node-linux-*/bin/node"), None)
    if found is None:
        pytest.skip("npm has no node for this kind of machine")
    return found
