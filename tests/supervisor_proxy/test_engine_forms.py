"""Multipart uploads in arbitrary chunks."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.base.errors import Refused
from supervisor_proxy.engine.multipart import first_part

B = b"XX"


@given(
    st.binary(max_size=300).filter(lambda data: b"\r\n--" + B not in data),
    st.integers(1, 50),
    st.sampled_from([b"--\r\n", b"--", b"\r\nA: b\r\n\r\nsecond\r\n--XX--\r\n"]),
)
def test_the_first_part_comes_out_as_it_went_in(data: bytes, at_once: int, rest: bytes) -> None:
    form = b"--XX\r\nContent-Type: x\r\n\r\n" + data + b"\r\n--XX" + rest
    stream = io.BytesIO(form)
    parts = list(first_part(lambda size: stream.read(min(size, at_once)), B))
    assert b"".join(parts) == data
    assert not stream.read()


@pytest.mark.parametrize(
    "form",
    [b"", b"--XX\r\n", b"--YY\r\n\r\nx\r\n--YY--", b"--XX\r\n\r\nnever ends", b"x" * 40000],
)
def test_what_is_no_form_is_refused(form: bytes) -> None:
    with pytest.raises(Refused):
        list(first_part(io.BytesIO(form).read, B))
