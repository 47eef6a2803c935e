"""Which of FreeSDN's staged operations the portal takes; ``pytest -s`` prints the table."""

import sys
from collections.abc import Iterator

import pytest

from networks.gateways.engine.features import FEATURES, Feature
from networks.gateways.engine.features.feature_titles import FEATURES as TITLES
from tests.fleet.vendor_tables import freesdn_rows, freesdn_table, is_taken

ROWS = freesdn_rows()
LEAST = 480


def taken() -> Iterator[tuple[Feature, str, str]]:
    for _, name, area, permission, operation in ROWS:
        if is_taken(name, operation):
            yield FEATURES[name], area, permission


def test_enough_of_its_operations_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{freesdn_table()}\n")
    assert len(ROWS) == 603
    assert len(list(taken())) >= LEAST


def test_whoever_may_do_it_there_may_do_it_here() -> None:
    for feature, area, permission in taken():
        role = "!" if feature.catastrophic else ""
        assert (feature.area, f"{feature.permission}{role}") == (area, permission), feature.key


def test_each_feature_has_a_title_that_somebody_wrote() -> None:
    bare = {one.key.removeprefix(f"{one.vendor}.") for one in FEATURES.values()}
    assert not sorted(bare - set(TITLES))
