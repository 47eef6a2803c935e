"""Configurations that people really have: rendered rightly, or refused with the reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from controller.configs.engine.errors import InvalidConfig
from controller.configs.engine.render import render
from controller.configs.models import Backend

INPUTS = Path(__file__).parents[1] / "inputs/config"


def text(name: str, **context: Any) -> str:
    told = json.loads((INPUTS / f"{name}.json").read_text())
    made = render(Backend.OPENWRT, told["templates"], told["config"], told["context"] | context)
    return b"\n".join(file.contents for file in made.files).decode()


def test_a_zone_is_known_by_both_of_its_names() -> None:
    told = json.loads((INPUTS / "tz2.json").read_text())["config"]
    for zone in ("Europe/Kyiv", "Europe/Kiev"):
        config = {"general": told["general"] | {"timezone": zone}}
        (file,) = render(Backend.OPENWRT, [], config, {}).files
        assert b"option timezone 'EET-2EEST" in file.contents


def test_a_backslash_in_a_variable_is_an_escape_or_a_refusal() -> None:
    # As in netjsonconfig, and as the documentation says.
    assert "option key 'pass\nword'" in text("key_backslash_ok")
    assert r"option key 'pass\nword'" in text("key_backslash_ok", k=r"pass\\nword")
    with pytest.raises(InvalidConfig, match="write every backslash twice"):
        text("key_backslash_var")
