"""Answers that the original systems gave, held to the OpenAPI document."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.document import misfit

OPENWISP = Path(__file__).parent / "openwisp"


def recorded() -> list[Any]:
    """Return each recorded exchange with JSON: name, method, path, status and answer."""
    found = []
    for path in sorted((OPENWISP / "golden").glob("*.json")):
        one = json.loads(path.read_text())
        request = one["request"]
        found.append(
            (path.stem, request["method"], request["path"], one["status"], one["body"])
        )
    for line in (OPENWISP / "recording.jsonl").read_text().splitlines():
        one = json.loads(line)
        found.append((one["name"], one["method"], one["path"], one["status"], one["answer"]))
    return [one for one in found if one[1] != "OPTIONS" and isinstance(one[4], dict | list)]


@pytest.mark.parametrize("exchange", recorded(), ids=lambda one: one[0])
def test_a_recorded_answer_has_the_documented_shape(exchange: Any) -> None:
    _, method, path, status, answer = exchange
    assert not misfit(method, path, status, with_ours(answer))


def with_ours(answer: Any) -> Any:
    """Return the answer with the fields that only the portal has."""
    if isinstance(answer, list):
        return [with_ours(one) for one in answer]
    if not isinstance(answer, dict):
        return answer
    shown = {name: with_ours(value) for name, value in answer.items()}
    if {"type", "input", "output"} <= shown.keys():
        shown.setdefault("exit_status", None)
    if {"is_mobile", "address", "device_count"} <= shown.keys():
        shown.setdefault("is_estimated", False)
    return shown
