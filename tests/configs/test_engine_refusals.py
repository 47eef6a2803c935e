"""Refusal of configurations that would crash the renderer or break a device."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import netjsonconfig
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.configs.engine.backends import BACKENDS, OpenWrt
from controller.configs.engine.render import InvalidConfig, Rendered, render, validate
from controller.configs.engine.variables import substitute
from tests.configs import engine_corpus as corpus

OPENWRT = "netjsonconfig.OpenWrt"


def openwrt(config: Any, templates: Any = (), context: Any = None) -> Rendered:
    return render(OPENWRT, templates, config, {} if context is None else context)


def file_at(path: Any, contents: Any = "x") -> dict[str, Any]:
    return {"files": [{"path": path, "mode": "0644", "contents": contents}]}


def nested(depth: int) -> Any:
    data: Any = {}
    for _ in range(depth):
        data = {"a": [data]}
    return data


CIRCLE: dict[str, Any] = {}
CIRCLE["circle"] = CIRCLE


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "JSON object"),
        ([], "JSON object"),
        ("{}", "JSON object"),
        ({1: 2}, "quotes"),
        ({"a": {1, 2}}, "not JSON"),
        ({"a": b"x"}, "not JSON"),
        ({"a": float("nan")}, "not JSON"),
        ({"a": "x\0y"}, "NUL"),
        ({"a\0": 1}, "NUL"),
        ({"a": "\ud800"}, "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        (nested(100), "nested"),
        (nested(100_000), "nested"),
        (CIRCLE, "nested"),
        ({"radios": 5}, "is not of type 'array'"),
        ({"radios": [5]}, "not valid|not of type"),
        ({"radios": [{}]}, "not valid|required"),
        ({"interfaces": {"a": 1}}, "is not of type 'array'"),
        ({"interfaces": [[]]}, "not valid"),
        ({"files": {"path": 1}}, "is not of type 'array'"),
        ({"files": [{}]}, "required"),
        ({"general": []}, "is not of type 'object'"),
        ({"general": {"ula_prefix": 10**5000}}, "."),
        ({"a": [{"config_name": 5}]}, "converted"),
        ({"a": [{"config_name": []}]}, "converted"),
        ({"a": [{"config_name": "b", "config_value": None}]}, "converted"),
        ({"a": [{"config_name": "b", "n": 10**5000}]}, "converted"),
        ({"openvpn": "x"}, "is not of type 'array'"),
        (file_at("/etc/../shadow"), "Invalid file path"),
        (file_at("/etc/{{ missing }}.conf"), "define the variable missing"),
        (file_at("/etc/my file"), "Invalid file path"),
        (file_at("/etc/naïve"), "Invalid file path"),
        (file_at("/etc/a\n"), "Invalid file path"),
        (file_at("//etc/a"), "Invalid file path"),
        (file_at("/."), "Invalid file path"),
        (file_at(5), "not of type"),
        (file_at("/etc/a", {"b": 1}), "not of type"),
        ({"a/b": [{"config_name": "c"}]}, "package name"),
        ({"{{ a }}": [{"config_name": "c"}]}, "package name"),
        ({"a": [{"config_name": "b c"}]}, "section type"),
        ({"a": [{"config_name": "b", "config_value": "c d"}]}, "section name"),
        ({"a": [{"config_name": "b", "config_value": "{{ n }}"}]}, "section name"),
        ({"a": [{"config_name": "b", "c-d": "1"}]}, "option name"),
        ({"a": [{"config_name": "b", "c": "it's"}]}, "single quote"),
        ({"a": [{"config_name": "b", "c": ["it's"]}]}, "single quote"),
        ({"a": [{"config_name": "b", "c": "'\n\toption d '"}]}, "single quote"),
        ({"a": [{"config_name": "b", "c": [{"d": 1}]}]}, "#/a.*\n*.*holds objects"),
        ({"a": [{"config_name": "b", "c": "x\npackage d\ny"}]}, "another UCI file"),
    ],
)
def test_malformed_configurations_are_refused(config: Any, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words):
        openwrt(config)
    with pytest.raises(InvalidConfig, match=words):
        validate(OPENWRT, [], config, {})
    if isinstance(config, dict):
        with pytest.raises(InvalidConfig):
            openwrt({}, [config])


@pytest.mark.parametrize(
    ("templates", "context"),
    [
        (None, {}),
        ({}, {}),
        ("abc", {}),
        ([1], {}),
        ([None], {}),
        ([[]], {}),
        ([{"a": [1]}, {"a": {}}], {}),
        ([{"a": [{"name": {}}]}, {"a": [{"name": {}}]}], {}),
        ([], None),
        ([], []),
        ([], "name"),
        ([{"a": "{{ v }}"}], {"v": "\\d"}),
        ([{"a": "{{ v }}"}], {"v": "\\9"}),
        ([{"a": "{{ v }}"}], {"v": "\\g<x>"}),
        ([{"a": "{{ v }}"}], {"v": "\\0"}),
        ([{"a": "{{ v }}"}], {"v": "\ud800"}),
        ([{"a": "{{ v }}" * 9000}], {"v": "x" * 100_000}),
        ([{"a": "{{ v }}" * 100_000}], {"v": "{{ v }}"}),
        ([{"a": "{{ v }}{{ w }}"}], {"v": "{{ w }}" * 9000, "w": "x" * 100_000}),
    ],
)
def test_malformed_templates_and_variables_are_refused(templates: Any, context: Any) -> None:
    with pytest.raises(InvalidConfig):
        render(OPENWRT, templates, {"b": 1}, context)


def test_a_long_run_of_spaces_after_two_braces_takes_no_time() -> None:
    started = time.process_time()
    openwrt({"a": "{{" + " " * 300_000 + "x"}, (), {"x": "1"})
    assert time.process_time() - started < 1


def test_an_unknown_backend_is_refused_by_name() -> None:
    with pytest.raises(InvalidConfig, match=r"netjsonconfig\.OpenWrt, netjsonconfig\.OpenWisp"):
        render("netjsonconfig.AirOs", [], {}, {})


def test_a_word_of_the_legacy_format_cannot_start_another_file() -> None:
    config = {"general": {"hostname": "old", "description": "a package b"}}
    assert render(OPENWRT, [], config, {}).files
    with pytest.raises(InvalidConfig, match="another UCI file"):
        render("netjsonconfig.OpenWisp", [], config, {})


def test_interface_names_which_netjsonconfig_leaves_as_they_are_must_fit_uci() -> None:
    vlan = {"type": "8021ad", "name": "eth0", "vid": 2, "network": "dot.ted-name"}
    with pytest.raises(InvalidConfig, match=r"device_dot\.ted-name"):
        openwrt({"interfaces": [vlan]})


@pytest.mark.parametrize(
    "config",
    [file_at("/etc/{{ name }}.conf"), {"a": [{"config_name": "b", "config_value": "{{ n }}"}]}],
)
def test_a_template_alone_may_wait_for_its_variables(config: dict[str, Any]) -> None:
    validate(OPENWRT, [], config, {}, partial=True)
    with pytest.raises(InvalidConfig):
        validate(OPENWRT, [], config, {})


def test_single_quotes_written_as_uci_wants_them_pass() -> None:
    (file,) = openwrt({"a": [{"config_name": "b", "c": "it'\\''s"}]}).files
    assert b"option c 'it'\\''s'" in file.contents


SEEDS = [case for case in corpus.ACCEPTED if case.config and case.backend == OPENWRT]
SCALARS = st.sampled_from(
    [None, True, False, 0, 1, -1, 1.0, 2.5, 10**20, "", "a", "0", "x\n", "é", "{{ a }}",
     "10.0.0.1", "10.0.0.0/8", "::1", "eth0", "'", "\\", " ", "a" * 70, [], {}, [1, True],
     [{}], {"name": "a"}, ["a", "a"]]
)  # fmt: skip


def mutate(data: Any, random: Any, value: Any) -> Any:
    """Return `data` with one part replaced, dropped or duplicated, chosen by `random`."""
    data = json.loads(json.dumps(data))
    node = data
    while True:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        key = random.choice(keys)
        below = node[key]
        if isinstance(below, dict | list) and below and random.random() < 0.8:
            node = below
            continue
        change = random.randrange(4)
        if change == 0:
            del node[key]
        elif change == 1 and isinstance(node, list):
            node.append(json.loads(json.dumps(below)))
        elif change == 2 and isinstance(node, dict):
            node[random.choice(["name", "type", "mode", "proto", "x"])] = value
        else:
            node[key] = value
        return data


@pytest.mark.long
@settings(
    max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(st.sampled_from(SEEDS), SCALARS, st.randoms(use_true_random=False))
def test_the_quick_validator_accepts_nothing_the_reference_refuses(
    case: corpus.Case, value: Any, random: Any
) -> None:
    config = mutate(case.config, random, value)
    if OpenWrt.validator.accepts(config):
        assert OpenWrt.validator.reference.is_valid(config)


@pytest.mark.long
@settings(
    max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(st.sampled_from(SEEDS), SCALARS, st.randoms(use_true_random=False))
def test_a_damaged_configuration_renders_or_is_refused_and_never_crashes(
    case: corpus.Case, value: Any, random: Any
) -> None:
    config = mutate(case.config, random, value)
    for backend in BACKENDS:
        try:
            rendered = render(backend, case.templates, config, case.context)
        except InvalidConfig as refusal:
            assert refusal.reason  # noqa: PT017
            continue
        if backend == OPENWRT and all(file.contents.isascii() for file in rendered.files):
            reference = netjsonconfig.OpenWrt(
                config, templates=list(case.templates), context=case.context
            )
            # It stumbles over names that are lists.
            with contextlib.suppress(TypeError):
                expected = reference.generate().getvalue()
                assert rendered.archive == expected


def test_all_texts_of_a_configuration_have_one_budget() -> None:
    files = [{"path": f"/a{at}", "mode": "0644", "contents": "{{ a }}"} for at in range(30)]
    with pytest.raises(InvalidConfig, match="16 MiB"):
        substitute({"files": files}, {"a": "x" * 900_000})
    assert substitute({"files": files[:10]}, {"a": "x" * 900_000})
