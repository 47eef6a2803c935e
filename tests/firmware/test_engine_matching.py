"""Matching images and devices, options, and judging what came back."""

from datetime import timedelta
from itertools import product

import pytest

from controller.firmware.engine import options
from controller.firmware.engine.judging import LONGEST_FLASH, Before, Verdict, Wanted, judge
from controller.firmware.engine.matching import MIB, DeviceFacts, ImageFacts, mismatches
from controller.firmware.engine.options import Options
from controller.firmware.engine.reports import SystemReport, parse_report

KEEP, RESET = Options(), Options(("n",))
IMAGE = ImageFacts(8 * MIB, frozenset({"example,a"}), target="ath79/generic")
DEVICE = DeviceFacts("example,a", "ath79/generic")


def codes(
    image: ImageFacts, device: DeviceFacts, chosen: Options = KEEP, **how: bool
) -> list[str]:
    return [one.code for one in mismatches(image, device, chosen, **how)]


def test_an_image_fits_the_boards_it_names() -> None:
    assert codes(IMAGE, DEVICE) == []
    assert codes(IMAGE, DeviceFacts("example,b")) == ["wrong_board"]
    assert codes(IMAGE, DeviceFacts("example")) == ["wrong_board"]
    assert codes(IMAGE, DeviceFacts()) == ["unknown_board"]


def test_an_image_without_boards_needs_a_confirmation_for_each_board_and_its_target() -> None:
    bare = ImageFacts(MIB, target="x86/64")
    assert codes(bare, DeviceFacts("pc", "x86/64")) == ["unconfirmed_board"]
    confirmed = ImageFacts(MIB, confirmed_boards=frozenset({"pc"}), target="x86/64")
    assert codes(confirmed, DeviceFacts("pc", "x86/64")) == []
    assert codes(confirmed, DeviceFacts("pc", "armsr/armv8")) == ["wrong_target"]


@pytest.mark.parametrize(
    ("image", "device", "chosen", "found"),
    [
        ("1.0", "1.0", KEEP, []),
        ("1.1", "1.0", KEEP, ["compat_minor"]),
        ("1.0", "1.1", KEEP, ["compat_minor"]),
        ("1.1", "1.0", RESET, []),
        ("2.0", "1.0", RESET, ["compat_major"]),
        ("1.0", "2.0", KEEP, ["compat_major"]),
    ],
)
def test_compat_versions_decide_whether_settings_can_be_kept(
    image: str, device: str, chosen: Options, found: list[str]
) -> None:
    facts = ImageFacts(MIB, IMAGE.boards, compat_version=image)
    assert codes(facts, DeviceFacts("example,a", compat_version=device), chosen) == found


def test_size_memory_flash_and_signature_are_checked_before_anything_is_sent() -> None:
    assert codes(IMAGE, DeviceFacts("example,a", memory_available=15 * MIB), is_now=True) == [
        "memory"
    ]
    assert codes(IMAGE, DeviceFacts("example,a", tmp_free=9 * MIB), is_now=True) == ["tmp"]
    roomy = DeviceFacts("example,a", memory_available=16 * MIB, tmp_free=10 * MIB)
    assert codes(IMAGE, roomy, is_now=True) == []
    # What was free some time ago says nothing; what there is in all does.
    assert codes(IMAGE, DeviceFacts("example,a", memory_available=MIB)) == []
    assert codes(IMAGE, DeviceFacts("example,a", memory_total=15 * MIB)) == ["memory"]
    assert codes(ImageFacts(9, IMAGE.boards, flash_limit=8), DEVICE) == ["flash"]
    assert codes(ImageFacts(9, IMAGE.boards, signature="broken"), DEVICE) == [
        "broken_signature"
    ]


def test_options_become_flags_of_sysupgrade() -> None:
    assert options.parse({"n": True, "u": True, "k": False}).arguments == "-n -u"
    assert options.parse({}).arguments == ""
    for wrong in ([], {"F": True}, {"x": True}, {"n": 1}, {"n": True, "c": True}):
        with pytest.raises(ValueError, match=r"\w"):
            options.parse(wrong)


BEFORE = Before("boot-1", "r1", "24.10.1", "upgrade-1")
WANTED = Wanted("24.10.2", "r2")
NEW, OLD, OTHER = ("24.10.2", "r2"), ("24.10.1", "r1"), ("23.05.0", "r0")
SOON, LATE = timedelta(minutes=2), LONGEST_FLASH


def verdict(boot: str, runs: tuple[str, str], marker: str, since: timedelta) -> Verdict:
    now = SystemReport(version=runs[0], revision=runs[1], boot_id=boot, marker=marker)
    return judge(BEFORE, WANTED, now, since_flash=since).verdict


def test_only_a_new_boot_of_the_images_own_firmware_without_marker_is_success() -> None:
    confirmed = {
        found
        for found in product(
            ["boot-1", "boot-2", ""], [NEW, OLD, OTHER], ["upgrade-1", ""], [SOON, LATE]
        )
        if verdict(*found) == Verdict.CONFIRMED
    }
    assert confirmed == {("boot-2", NEW, "", SOON), ("boot-2", NEW, "", LATE)}


def test_a_device_that_has_not_restarted_has_ten_minutes() -> None:
    assert verdict("boot-1", OLD, "upgrade-1", SOON) == Verdict.NOT_YET
    assert verdict("boot-1", OLD, "upgrade-1", LATE) == Verdict.FAILED


def test_the_same_revision_is_proved_by_the_marker_alone() -> None:
    wanted = Wanted("24.10.1", "r1")
    for marker, expected in (("upgrade-1", Verdict.FAILED), ("", Verdict.CONFIRMED)):
        now = SystemReport(version="24.10.1", revision="r1", boot_id="boot-2", marker=marker)
        assert judge(BEFORE, wanted, now, since_flash=SOON).verdict == expected


def test_a_report_of_a_device_is_read_and_nonsense_in_it_is_left_out() -> None:
    found = parse_report(
        'board_json {"board_name": "example,a", "release": {"version": "24.10.2", '
        '"revision": "r2", "target": "ath79/generic"}}\n'
        "boot_id 1-2-3\nmemory_available 2048\ncompat 1.1\nmarker upgrade-1\nuptime 99.5\n"
    )
    assert (found.board, found.revision, found.compat_version) == ("example,a", "r2", "1.1")
    assert (found.memory_available, found.uptime) == (2 * 1024**2, 99)
    empty = parse_report("board_json [[[\nmemory_total many\ncompat new\nwhatever")
    assert empty == SystemReport()
    assert parse_report("board_name example,b\nmodel B").board == "example,b"
