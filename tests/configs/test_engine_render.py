"""Our archives compared with those of unmodified netjsonconfig."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import jsonschema
import netjsonconfig
import pytest

from controller.base import archive
from controller.configs.engine.render import InvalidConfig, Rendered, render, validate
from tests.configs import engine_corpus as corpus
from tests.configs.engine_corpus import Case

REFERENCES = {
    "netjsonconfig.OpenWrt": netjsonconfig.OpenWrt,
    "netjsonconfig.OpenWisp": netjsonconfig.OpenWisp,
}
OPENWRT = "netjsonconfig.OpenWrt"


def parsed(data: Any) -> Any:
    """Copy data as a database returns it, so that equal strings are distinct objects."""
    return json.loads(json.dumps(data))


def reference(case: Case, *, dsa: bool) -> bytes | Exception:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            backend = REFERENCES[case.backend](
                parsed(case.config),
                templates=parsed(list(case.templates)),
                context=case.context,
                dsa=dsa,
            )
            return backend.generate().getvalue()
    except Exception as error:  # noqa: BLE001  whatever it raises, it rejects
        return error


def ours(case: Case, *, dsa: bool = True) -> Rendered:
    return render(
        case.backend, parsed(list(case.templates)), parsed(case.config), case.context, dsa=dsa
    )


def openwrt(config: Any, **context: Any) -> Rendered:
    return render(OPENWRT, [], config, context)


def text_of(rendered: Rendered, path: str) -> str:
    return next(file.contents for file in rendered.files if file.path == path).decode()


@pytest.mark.parametrize("number", range(len(corpus.ACCEPTED)))
def test_archives_are_the_bytes_of_netjsonconfig(number: int) -> None:
    assert len(corpus.ACCEPTED) >= 60
    case = corpus.ACCEPTED[number]
    for dsa in (True, False):
        expected = reference(case, dsa=dsa)
        assert isinstance(expected, bytes), expected
        if not dsa and "vlan_filtering" in json.dumps(case.config):
            # netjsonconfig writes Python's repr of an object here, which no device can parse.
            with pytest.raises(InvalidConfig, match="needs OpenWrt 21"):
                ours(case, dsa=False)
            continue
        assert ours(case, dsa=dsa).archive == expected


@pytest.mark.parametrize("number", range(len(corpus.REJECTED)))
def test_rejections_have_the_words_of_netjsonconfig(number: int) -> None:
    case = corpus.REJECTED[number]
    expected = reference(case, dsa=True)
    with pytest.raises(InvalidConfig) as refusal:
        ours(case)
    details = getattr(expected, "details", expected)
    assert isinstance(details, jsonschema.ValidationError)
    assert refusal.value.reason == details.message
    path = "/".join(str(part) for part in details.path)
    assert refusal.value.path == f"#/{path}"
    with pytest.raises(InvalidConfig):
        validate(case.backend, case.templates, case.config, case.context)


def test_a_rejection_reads_as_openwisp_users_know_it() -> None:
    with pytest.raises(InvalidConfig) as refusal:
        openwrt({"interfaces": [{"name": "eth0"}]})
    assert str(refusal.value) == (
        'Invalid configuration triggered by "#/interfaces/0", validator says:\n\n'
        "{'name': 'eth0'} is not valid under any of the given schemas"
    )


def test_without_jsonschema_rs_the_reference_validator_gives_the_same_archives() -> None:
    program = """
import sys
sys.modules["jsonschema_rs"] = None
from tests.configs.engine_corpus import ACCEPTED, REJECTED
from controller.configs.engine.render import render, InvalidConfig
from controller.configs.engine import schema_validation
assert schema_validation.jsonschema_rs is None
for c in ACCEPTED[::9]:
    print(render(c.backend, c.templates, c.config, c.context).checksum)
for c in REJECTED[::7]:
    try: render(c.backend, c.templates, c.config, c.context)
    except InvalidConfig as error: print(error.path)
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2], env=os.environ | {"PYTHONHASHSEED": "7"},
    )  # fmt: skip
    expected = [ours(case).checksum for case in corpus.ACCEPTED[::9]]
    for case in corpus.REJECTED[::7]:
        with pytest.raises(InvalidConfig) as refusal:
            ours(case)
        expected.append(refusal.value.path)
    assert result.stdout.split() == expected


GOLDEN = {
    "realistic": (corpus.REALISTIC, "88d1eb1baae6f22fdc7b7cb1e70cd555"),
    "empty": (Case({}), "4092673af6a6ac4570fa517d685dd11a"),
    "wireguard": (Case(corpus.WIREGUARD), "117c8b20c7ef29a8dcaffa3277f9ce09"),
    "legacy": (corpus.LEGACY[5], "803cd2a4fed97baacba7ae477c55e111"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_checksums_stay_those_which_devices_have_seen(name: str) -> None:
    # A failure here means that zlib, Python or netjsonconfig produces other bytes, so that a
    # whole fleet would download its configuration again. Raise engine.backends.FORMAT_VERSION.
    case, checksum = GOLDEN[name]
    assert ours(case).checksum == checksum


def test_the_same_input_renders_to_the_same_archive_again() -> None:
    first, second = ours(corpus.REALISTIC), ours(corpus.REALISTIC)
    assert first == second
    assert first.checksum == hashlib.md5(first.archive, usedforsecurity=False).hexdigest()
    assert first.digest == hashlib.sha256(gzip.decompress(first.archive)).hexdigest()


def test_arguments_are_not_changed() -> None:
    for case in (corpus.REALISTIC, *corpus.LEGACY, Case(corpus.ZEROTIER)):
        before = json.dumps(case)
        render(case.backend, case.templates, case.config, case.context)
        assert json.dumps(case) == before


def test_contents_beyond_ascii_are_not_cut() -> None:
    contents = "Привет, 世界 🌍\n" * 40
    rendered = openwrt(
        {"files": [{"path": "/etc/banner", "mode": "0640", "contents": contents}]}
    )
    with tarfile.open(fileobj=io.BytesIO(rendered.archive)) as tar:
        (member,) = tar.getmembers()
        unpacked = tar.extractfile(member)
        assert unpacked is not None
        assert unpacked.read().decode() == contents
    assert (member.name, member.mode, member.mtime) == ("etc/banner", 0o640, 0)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 9000, 10240, 100_000])
def test_our_tar_and_gzip_are_those_of_python(size: int) -> None:
    files = [
        archive.File("etc/a", 0o644, b"x" * size),
        archive.File("d/" * 60 + "é", 0o755, b"y" * size),
    ]
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for file in files:
            info = tarfile.TarInfo(file.path)
            info.size, info.mode = len(file.contents), file.mode
            tar.addfile(info, io.BytesIO(file.contents))
    assert archive.tar(files) == stream.getvalue()
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped:
        zipped.write(stream.getvalue())
    assert archive.gzip(stream.getvalue()) == packed.getvalue()


def test_secrets_are_not_in_representations() -> None:
    rendered = openwrt(
        {"files": [{"path": "/etc/key", "mode": "0600", "contents": "hush-hush"}]}
    )
    assert "hush" not in repr(rendered)


def test_blocks_which_are_no_sections_are_not_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    openwrt({"firewall": [{"password": "hush"}, "hush"]})
    assert capsys.readouterr().out == ""
