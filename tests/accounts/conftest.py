"""Clients that keep cookies and send what the seed's programs send."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def shell(live_server: Any) -> Callable[[str], str]:
    """Runs shell text as documentation prints it, against a real server."""

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
    """The JSON values that jq printed, one after the other."""

    def parse(text: str) -> list[Any]:
        decoder, values, at = json.JSONDecoder(), [], 0
        while at < len(text.rstrip()):
            value, end = decoder.raw_decode(text[at:].lstrip())
            at += len(text[at:]) - len(text[at:].lstrip()) + end
            values.append(value)
        return values

    return parse
