"""Imports made by openssl and easy-rsa: valid, broken and mismatched."""

import base64
import shutil
import subprocess
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.engine import keys
from pki.engine.errors import Rejected
from pki.engine.importing import Imported, read_authority, read_end_entity, to_pem
from tests.pki.broken import AUTHORITIES, END_ENTITIES, issued
from tests.pki.oracle import NOW, authority, openssl, pem, refusal, template, written

OPENSSL_KEYS = {
    "2048": ("RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "3072": ("RSA", "-pkeyopt", "rsa_keygen_bits:3072"),
    "4096": ("RSA", "-pkeyopt", "rsa_keygen_bits:4096"),
    "256": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "384": ("EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "521": ("EC", "-pkeyopt", "ec_paramgen_curve:P-521"),
    "ed25519": ("ED25519",),
}


@pytest.mark.parametrize("kind", OPENSSL_KEYS)
def test_an_authority_and_a_certificate_that_openssl_made_are_imported(kind, tmp_path):
    ca_key, key = tmp_path / "ca.key", tmp_path / "device.key"
    for path in (ca_key, key):
        openssl("genpkey", "-algorithm", *OPENSSL_KEYS[kind], "-out", path)
    ca = tmp_path / "ca.pem"
    openssl("req", "-x509", "-new", "-key", ca_key, "-subj", "/C=IT/O=Peer/CN=ca", "-out", ca)
    csr = openssl("req", "-new", "-key", key, "-subj", "/CN=device")
    made = tmp_path / "device.pem"
    openssl("x509", "-req", "-CA", ca, "-CAkey", ca_key, "-days", 9, "-out", made, given=csr)
    found = read_authority(ca.read_text(), ca_key.read_text(), "", known=[], now=NOW)
    assert keys.kind_of(found.certificate.public_key()) == kind
    chain = [found.certificate]
    leaf = read_end_entity(made.read_text(), key.read_text(), "", chain=chain, now=NOW)
    assert leaf.certificate.subject.rfc4514_string() == "CN=device"


@pytest.mark.parametrize("options", [("rsa",), ("ec", "secp384r1"), ("ed", "ed25519")])
def test_what_easy_rsa_made_is_imported(options, tmp_path):
    program = shutil.which("easyrsa") or "/usr/share/easy-rsa/easyrsa"
    algorithm, *curve = options

    def easyrsa(*arguments: str) -> None:
        extra = [f"--curve={curve[0]}"] if curve else ["--keysize=2048"]
        subprocess.run(
            [program, "--batch", f"--use-algo={algorithm}", *extra, *arguments],
            cwd=tmp_path, check=True, capture_output=True, timeout=60,
        )  # fmt: skip

    easyrsa("init-pki")
    easyrsa("--req-cn=Easy", "build-ca", "nopass")
    easyrsa("build-client-full", "client1", "nopass")
    folder = tmp_path / "pki"
    ca = (folder / "ca.crt").read_text()
    found = read_authority(ca, (folder / "private/ca.key").read_text(), "", known=[], now=NOW)
    # With the text that openssl writes above the PEM.
    text = (folder / "issued/client1.crt").read_text()
    assert "Issuer: CN=Easy" in text
    key = (folder / "private/client1.key").read_text()
    leaf = read_end_entity(text, key, "", chain=[found.certificate], now=NOW)
    assert leaf.certificate.issuer == found.certificate.subject


def test_sha1_is_read_though_nothing_is_signed_with_it(tmp_path):
    key = tmp_path / "ca.key"
    openssl("genpkey", "-algorithm", *OPENSSL_KEYS["2048"], "-out", key)
    text = openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=old", "-sha1")
    assert read_authority(text, key.read_text(), "", known=[], now=NOW).digest == "sha1"


def test_an_encrypted_key_is_opened_with_its_passphrase(tmp_path):
    ca = issued()
    key = written(tmp_path, "ca.key", ca["ca_key"])
    for form in ((), ("-traditional",)):
        sealed = openssl("pkey", "-in", key, "-aes256", "-passout", "pass:secret", *form)
        found = read_authority(ca["ca"], sealed, "secret", known=[], now=NOW)
        assert found.key.key_size == 256


def test_a_chain_is_taken_from_the_pem_or_from_those_already_here():
    root = authority("Root")
    key = keys.generate("256")
    wanted, _ = template("Middle", key=key, authority=True)
    middle = root.sign(wanted)
    whole = pem(middle, *root.chain())
    for text, known in ((whole, []), (pem(middle), root.chain())):
        found = read_authority(text, keys.to_pem(key), "", known=known, now=NOW)
        assert list(found.issuers) == list(root.chain())
    alone = read_authority(pem(middle), keys.to_pem(key), "", known=[], now=NOW)
    assert list(alone.issuers) == []
    assert to_pem([middle]) == pem(middle)


def read(fields: dict[str, str], *, end_entity: bool) -> Imported:
    text, key = fields["certificate"], fields["private_key"]
    passphrase = fields.get("passphrase", "")
    if end_entity:
        return read_end_entity(text, key, passphrase, chain=issued()["chain"], now=NOW)
    return read_authority(text, key, passphrase, known=[], now=NOW)


@pytest.mark.parametrize("name", AUTHORITIES)
def test_a_broken_authority_is_refused_under_its_field(name):
    fields, field, words = AUTHORITIES[name]()
    with pytest.raises(Rejected, match=words) as refused:
        read(fields, end_entity=False)
    assert field in refused.value.errors


@pytest.mark.parametrize("name", END_ENTITIES)
def test_a_broken_certificate_is_refused_under_its_field(name):
    fields, field, words = END_ENTITIES[name]()
    with pytest.raises(Rejected, match=words) as refused:
        read(fields, end_entity=True)
    assert field in refused.value.errors


def test_both_fields_are_told_at_once():
    with pytest.raises(Rejected) as refused:
        read({"certificate": "x", "private_key": "y"}, end_entity=False)
    assert set(refused.value.errors) == {"certificate", "private_key"}


@cache
def sound() -> tuple[bytes, bytes]:
    made = issued()
    return tuple(
        base64.b64decode("".join(made[part].splitlines()[1:-1]))
        for part in ("cert", "cert_key")
    )


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_damage_to_the_bytes_is_a_refusal_or_harmless(data):
    """No other exception, for any flipped bit or truncation."""
    certificate, key = (bytearray(part) for part in sound())
    for part in data.draw(st.lists(st.sampled_from([0, 1]), min_size=1, max_size=2)):
        target = (certificate, key)[part]
        place = data.draw(st.integers(0, len(target) - 1))
        if data.draw(st.booleans()):
            target[place] ^= data.draw(st.integers(1, 255))
        else:
            del target[place:]
            target.append(0)

    def armor(label: str, body: bytes) -> str:
        lines = base64.encodebytes(body).decode()
        return f"-----BEGIN {label}-----\n{lines}-----END {label}-----\n"

    fields = {
        "certificate": armor("CERTIFICATE", certificate),
        "private_key": armor("EC PRIVATE KEY", key),
    }
    errors = refusal(lambda: read(fields, end_entity=True))
    assert set(errors) <= {"certificate", "private_key", "passphrase"}
