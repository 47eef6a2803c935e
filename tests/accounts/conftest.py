"""Fixtures: clients that keep cookies and send the headers of FreeSDN's clients."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def shell(live_server: Any) -> Callable[[str], str]:
    """Run documented shell commands against a live server."""

    def run(text: str, **variables: str) -> str:
        text = text.replace("https://freesdn.example.com", live_server.url)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            env={"PATH": "/usr/bin:/bin", **variables},
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def parsed() -> Callable[[str], list[Any]]:
    """Return the JSON values printed by jq, one after the other."""

    def parse(text: str) -> list[Any]:
        decoder, values, at = json.JSONDecoder(), [], 0
        while at < len(text.rstrip()):
            value, end = decoder.raw_decode(text[at:].lstrip())
            at += len(text[at:]) - len(text[at:].lstrip()) + end
            values.append(value)
        return values

    return parse
