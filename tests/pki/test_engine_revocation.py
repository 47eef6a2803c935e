"""CRLs and OCSP responses, verified with openssl."""

import re
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.engine import keys
from pki.engine.contract import Authority, Period, Revocation, Status
from pki.engine.errors import Rejected
from pki.engine.ocsp import malformed, read_question, unauthorized
from pki.engine.software_ca import REASONS, SoftwareAuthority
from tests.pki.oracle import NOW, authority, openssl, pem, refusal, template, written

PERIOD = Period(NOW, NOW + timedelta(days=1))
ROOT: Authority = authority("Root")


def crl_pem(ca: SoftwareAuthority, *revocations: Revocation) -> str:
    made = ca.revocation_list(revocations, number=7, period=PERIOD)
    return made.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize("kind", keys.KINDS)
def test_openssl_refuses_a_certificate_on_the_list_and_accepts_its_neighbor(kind, tmp_path):
    ca = authority("Root", kind)
    good, bad = (ca.sign(template(name)[0]) for name in ("good", "bad"))
    anchors = written(tmp_path, "ca.pem", pem(ca.chain()[0]))
    crl = written(
        tmp_path, "ca.crl", crl_pem(ca, Revocation(bad.serial_number, NOW, "superseded"))
    )
    check = ("verify", "-crl_check", "-CAfile", anchors, "-CRLfile", crl)
    assert "OK" in openssl(*check, written(tmp_path, "good.pem", pem(good)))
    refused = openssl(*check, written(tmp_path, "bad.pem", pem(bad)), fails=True)
    assert "certificate revoked" in refused


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(
        st.integers(1, 2**159 - 1),
        st.tuples(
            st.sampled_from(sorted(set(REASONS) - {"removeFromCRL"})), st.integers(0, 10**8)
        ),
        max_size=20,
    )
)
def test_openssl_reads_every_entry_of_a_list(entries):
    listed = [
        Revocation(serial, NOW - timedelta(seconds=age), reason)
        for serial, (reason, age) in entries.items()
    ]
    text = openssl("crl", "-noout", "-text", given=crl_pem(ROOT, *listed))
    serials = [int(serial, 16) for serial in re.findall(r"Serial Number: (\w+)", text)]
    assert len(serials) == len(entries)
    for entry in listed:
        assert entry.serial_number in serials
    assert text.count("X509v3 CRL Reason Code") == sum(
        e.reason != "unspecified" for e in listed
    )


def test_a_list_carries_its_number_and_when_the_next_is_due():
    text = openssl("crl", "-noout", "-crlnumber", "-nextupdate", given=crl_pem(ROOT))
    assert "crlNumber=0x07" in text or "crlNumber=07" in text
    assert f"{PERIOD.next_update:%Y}" in text


def ask(folder, ca: x509.Certificate, certificate: x509.Certificate, *options: str) -> bytes:
    issuer = written(folder, "ca.pem", pem(ca))
    asked = written(folder, "asked.pem", pem(certificate))
    request = folder / "request.der"
    openssl("ocsp", *options, "-issuer", issuer, "-cert", asked, "-reqout", request)
    return request.read_bytes()


@pytest.mark.parametrize("kind", keys.KINDS)
@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (Status(known=True), "good"),
        (Status(known=True, revocation=Revocation(5, NOW, "keyCompromise")), "revoked"),
        (Status(known=False), "unknown"),
    ],
)
def test_openssl_believes_an_ocsp_answer(kind, status, shown, tmp_path):
    ca = authority("Root", kind)
    leaf = ca.sign(template("device", serial_number=5)[0])
    question = read_question(ask(tmp_path, ca.chain()[0], leaf))
    assert question.serial_number == 5
    assert question.is_about(ca.chain()[0])
    assert not question.is_about(ROOT.chain()[0])
    answer = written(tmp_path, "answer.der", ca.status(question, status, period=PERIOD))
    ca_file = tmp_path / "ca.pem"
    check = ("ocsp", "-respin", answer, "-CAfile", ca_file, "-verify_other", ca_file)
    assert "Response verify OK" in openssl(*check, "-reqin", tmp_path / "request.der")
    about = ("-issuer", tmp_path / "ca.pem", "-cert", tmp_path / "asked.pem", "-no_nonce")
    assert f"asked.pem: {shown}" in openssl(*check, *about)
    assert question.nonce in answer.read_bytes()


@pytest.mark.parametrize("digest", ["-sha1", "-sha256", "-sha384", "-sha512"])
def test_questions_hashed_otherwise_are_understood(digest, tmp_path):
    leaf = ROOT.sign(template("device")[0])
    request = ask(tmp_path, ROOT.chain()[0], leaf, digest, "-no_nonce")
    question = read_question(request)
    assert question.is_about(ROOT.chain()[0])
    assert not question.nonce


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_bytes_that_are_no_question_are_refused(data):
    with pytest.raises(Rejected):
        read_question(data)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_question_is_refused_or_about_something_else(data):
    issuer = ROOT.chain()[0]
    leaf = ROOT.sign(template("device", serial_number=99)[0])
    builder = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA256())
    der = bytearray(builder.build().public_bytes(serialization.Encoding.DER))
    place = data.draw(st.integers(0, len(der) - 1))
    der[place] ^= data.draw(st.integers(1, 255))
    assert set(refusal(lambda: read_question(bytes(der)))) <= {"request"}


def test_the_refusals_are_ocsp_answers_themselves(tmp_path):
    for answer, words in ((malformed(), "malformedrequest"), (unauthorized(), "unauthorized")):
        path = written(tmp_path, "answer.der", answer)
        assert words in openssl("ocsp", "-respin", path, "-noverify", fails=True)
