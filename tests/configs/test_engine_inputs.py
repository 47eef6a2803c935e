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


def test_spaces_and_lines_of_a_value_stay_as_they_are() -> None:
    assert "option ssid 'A    B'" in text("ssid_4spaces")
    assert "option ssid '        '" in text_of_one("    " * 2)
    lines = "one\n\n\ntwo\noption three\nlist four\n    five"
    assert f"\toption text '{lines}'\n" in text_of_one(lines, "text")


def text_of_one(value: object, name: str = "ssid", **context: object) -> str:
    config = {"custom": [{"config_name": "a", "config_value": "b", name: value}]}
    (file,) = render(Backend.OPENWRT, [], config, context).files
    return file.contents.decode()


def test_a_boolean_of_a_variable_is_one_that_openwrt_reads() -> None:
    assert "option enabled 'true'" in text("bool_default")
    assert "option enabled 'false'" in text("bool_default", en=False)
    # As in JSON; a list of Python's would have quotes that end the value.
    assert """option x '["a", 1, null]'""" in text_of_one("{{ a }}", "x", a=["a", 1, None])
    assert r"""option x '{"a": "\\d"}'""" in text_of_one("{{ a }}", "x", a={"a": r"\d"})


def test_a_variable_of_null_is_no_value_and_leaves_the_option_out() -> None:
    assert "option" not in text("none_default")
    assert "option x 'a-b'" in text_of_one("a-{{ l }}b", "x", l=None)


def test_a_backslash_in_a_variable_is_an_escape_or_a_refusal() -> None:
    # As in netjsonconfig, and as the documentation says.
    assert "option key 'pass\nword'" in text("key_backslash_ok")
    assert r"option key 'pass\nword'" in text("key_backslash_ok", k=r"pass\\nword")
    with pytest.raises(InvalidConfig, match="write every backslash twice"):
        text("key_backslash_var")
    # Groups of a pattern: what stood in the text itself.
    told = json.loads((INPUTS / "key_backslash_g.json").read_text())
    files = render(Backend.OPENWRT, [], told["config"], told["context"]).files
    assert {file.path: file.contents for file in files}["etc/a"] == b"re=({{k}})"
