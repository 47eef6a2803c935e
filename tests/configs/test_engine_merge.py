"""Merging of templates, variables, and properties of backends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netjsonconfig.backends.base.backend import BaseBackend

from controller.configs.engine.backends import BACKENDS, FORMAT_VERSION, schema, uses_dsa
from controller.configs.engine.merge import _folded, fold, merge
from controller.configs.engine.render import InvalidConfig
from controller.configs.engine.variables import Variable, resolve, undefined, used
from tests.configs import engine_corpus as corpus

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
CONFIGS = st.dictionaries(
    st.sampled_from(["a", "b", "general"]),
    SCALARS | st.dictionaries(st.sampled_from(["x", "y"]), SCALARS, max_size=3),
    max_size=4,
)


@given(CONFIGS)
def test_merging_with_nothing_changes_nothing(config: dict[str, Any]) -> None:
    assert merge([], config) == config
    assert merge([config], {}) == config
    assert merge([{}, {}], config) == config


@given(st.lists(CONFIGS, max_size=3), CONFIGS)
@settings(deadline=None)
def test_the_last_scalar_wins_and_arguments_stay_unchanged(
    templates: list[dict[str, Any]], config: dict[str, Any]
) -> None:
    before = json.dumps([templates, config])
    merged = merge(templates, config)
    for key, value in config.items():
        if not isinstance(value, dict):
            assert merged[key] == value
        else:
            assert merged[key].items() >= value.items()
    assert json.dumps([templates, config]) == before


@given(st.lists(CONFIGS, min_size=1, max_size=3), CONFIGS)
@settings(deadline=None)
def test_merging_is_a_left_fold(
    templates: list[dict[str, Any]], config: dict[str, Any]
) -> None:
    first, *rest = templates
    assert merge(templates, config) == merge(
        [merge([first], *rest[:1] or [{}]), *rest[1:]], config
    )


def test_the_result_shares_nothing_with_the_arguments() -> None:
    template, config = {"a": {"b": [1]}}, {"c": {"d": [2]}}
    merged = merge([template], config)
    merged["a"]["b"].append(3)
    merged["c"]["d"].append(3)
    assert (template, config) == ({"a": {"b": [1]}}, {"c": {"d": [2]}})


def test_items_with_the_same_identifier_merge_in_place() -> None:
    merged = merge(
        [{"interfaces": [{"name": "a", "mtu": 1}, {"name": "b"}]}],
        {"interfaces": [{"name": "c"}, {"name": "a", "mtu": 2}]},
    )
    assert merged == {"interfaces": [{"name": "a", "mtu": 2}, {"name": "b"}, {"name": "c"}]}


def test_vlans_of_one_device_are_told_apart_by_their_numbers() -> None:
    merged = merge(
        [{"interfaces": [corpus.MANAGEMENT]}],
        {"interfaces": [corpus.MANAGEMENT | {"vid": 11}, {**corpus.MANAGEMENT, "mtu": 1400}]},
    )
    assert [(vlan["vid"], vlan.get("mtu")) for vlan in merged["interfaces"]] == [
        (10, 1400),
        (11, None),
    ]


def test_an_object_cannot_replace_a_list() -> None:
    with pytest.raises(
        InvalidConfig, match="Incompatible type for 'a': expected list, got dict"
    ):
        merge([{"a": []}], {"a": {}})


def test_the_strongest_layer_defines_a_variable() -> None:
    resolved = resolve(
        [
            ("template", {"a": "1", "b": "1"}),
            ("organization", {"b": "2"}),
            ("device", {"c": "3"}),
        ]
    )
    assert resolved == {
        "a": Variable("1", "template"),
        "b": Variable("2", "organization"),
        "c": Variable("3", "device"),
    }
    assert "1" not in repr(resolved["a"])


def test_used_and_undefined_variables_are_named() -> None:
    config = {"x": ["{{ b }}{{a}}", {"y": "{{  c_1 }}", "{{ key }}": 1}], "z": "{{ a.b }} {{}}"}
    assert used(config) == {"a", "b", "c_1"}
    assert undefined(config, {"a": ""}) == ["b", "c_1"]


@pytest.mark.parametrize(
    ("os", "expected"),
    [
        ("OpenWrt 21.02.3 r16554-1d4dea6d4f", True),
        ("OpenWrt 23.05-rc1", True),
        ("OpenWrt 19.07.7 r11306-c4a6851c72", False),
        ("OpenWrt Chaos Calmer 15.05.1", False),
        ("LEDE Reboot 17.01.4", False),
        ("OpenWrt SNAPSHOT r26666-1a2b", True),
        ("Debian GNU/Linux 12", True),
        ("", True),
    ],
)
def test_the_syntax_follows_the_release(os: str, *, expected: bool) -> None:
    assert uses_dsa(os) is expected


@pytest.mark.parametrize("backend", BACKENDS)
def test_editors_get_annotations_but_no_format_they_would_judge(backend: str) -> None:
    editors = schema(backend)
    hostname = editors["properties"]["general"]["properties"]["hostname"]
    assert "format" not in hostname
    assert hostname["maxLength"] == 63
    assert editors["properties"]["general"]["title"]
    text = json.dumps(editors)
    assert '"format": "checkbox"' in text
    assert not [word for word in ("ipv4", "ipv6", "cidr") if f'"format": "{word}"' in text]
    original: type[BaseBackend] = BACKENDS[backend]
    assert original.schema["properties"]["general"]["properties"]["hostname"]["format"]


def test_the_format_version_names_netjsonconfig() -> None:
    assert FORMAT_VERSION.endswith("netjsonconfig-1.3.1")


ITEMS = st.lists(SCALARS | st.dictionaries(st.sampled_from(["name", "x"]), SCALARS), max_size=3)
GENERAL = st.dictionaries(st.sampled_from(["hostname", "x"]), SCALARS | ITEMS, max_size=2)
TEMPLATES = st.fixed_dictionaries({}, optional={"general": GENERAL | SCALARS, "a": ITEMS})


@given(st.lists(TEMPLATES, max_size=3), GENERAL)
def test_a_name_below_the_templates_is_merged_as_one_layer_after_the_other(
    templates: list[dict[str, Any]], general: dict[str, Any]
) -> None:
    # From a JSON parser, as merge() asks: one Python object twice in a list is dropped.
    layers = json.loads(json.dumps([{"general": general}, *templates]))

    def merged(fold: Any) -> Any:
        try:
            return fold(layers)
        except InvalidConfig as refusal:
            return str(refusal)

    assert json.dumps(merged(fold)) == json.dumps(merged(_folded))
