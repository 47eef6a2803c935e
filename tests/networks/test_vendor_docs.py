"""The feature tables in docs/vendors.md match the registry."""

import re

import pytest

from networks.gateways.engine.features import ALL, FEATURES, VENDORS, Feature
from networks.gateways.engine.features.restores import RESTORES
from networks.gateways.engine.features.versions import KNOWN
from tests.fleet.gateways import VENDORS as STAND_INS
from tests.fleet.vendor_tables import BEGIN, END, PAGE, tables


def test_the_page_has_the_tables_of_the_registry_and_the_contract() -> None:
    """Write them with ``python -m tests.fleet.vendor_tables``."""
    assert f"{BEGIN}\n\n{tables()}\n\n{END}" in PAGE.read_text()


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_page_tells_the_versions_of(vendor: str) -> None:
    first, last = KNOWN[vendor]
    lines = re.findall(
        rf"^\| `{vendor}` \|([^|\n]*\d[^|\n]*)\|[^|\n]*\|$", PAGE.read_text(), re.M
    )
    (line,) = [one for one in lines if " to " in one or " and " in one]
    assert re.findall(r"\d+(?:\.\d+)*", line) == [first, last]


def test_every_vendor_has_a_stand_in() -> None:
    assert set(STAND_INS) == set(VENDORS)


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.key)
def test_examples_fit_their_schemas(one: Feature) -> None:
    for operation, payload in (("create", one.example), ("update", one.change)):
        if operation in one.operations:
            assert not one.problems(operation, payload)
    assert one.action or one.change or "update" not in one.operations


def test_a_name_that_holds_an_operation_takes_no_other() -> None:
    assert FEATURES["unifi.dns.create_static"].operations == ("create",)
    assert FEATURES["unifi.dns.static"].operations == ("create", "update", "delete")
    assert FEATURES["unifi.networks.delete"].key == "unifi.networks.vlan"


def test_names_are_of_one_feature_each() -> None:
    names = [name for one in (*ALL, *RESTORES.values()) for name in one.known_as()]
    assert len(names) == len(set(names)) == len(FEATURES)
