"""The feature tables in docs/vendors.md match the registry."""

from pathlib import Path

import pytest

from networks.gateways.engine.features import ALL, FEATURES, VENDORS, Feature
from tests.fleet.gateways import VENDORS as STAND_INS

PAGE = Path(__file__).parents[2] / "docs" / "vendors.md"


def row(one: Feature) -> str:
    verbs = "do" if one.action else ", ".join(one.operations)
    role = ", site_admin" if one.catastrophic else ""
    return f"| `{one.key}` | {verbs} | {one.permission}{role} |"


def table(vendor: str) -> str:
    """Return the expected table; copy it into the page if it differs."""
    rows = [row(one) for one in ALL if one.vendor == vendor]
    return "\n".join(
        [f"### {vendor}", "", "| feature | operations | takes |", "|---|---|---|", *rows]
    )


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_page_lists_every_feature_of(vendor: str) -> None:
    assert table(vendor) in PAGE.read_text()


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
    names = [name for one in ALL for name in one.known_as()]
    assert len(names) == len(set(names)) == len(FEATURES)
