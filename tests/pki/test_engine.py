"""Keys, extensions and certificates, verified with openssl."""

import re
import string
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ed448
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.engine import keys
from pki.engine.bundles import certificates_only, pkcs12_bundle
from pki.engine.errors import Rejected
from pki.engine.extension_values import EXTENDED_KEY_USAGES, KEY_USAGES, NS_CERT_TYPES
from pki.engine.extensions import KNOWN, SCHEMA, from_certificate, parse
from pki.engine.names import Subject, from_name, to_name
from pki.engine.summary import summarize
from tests.pki.oracle import NOW, authority, openssl, pem, refusal, template, written

ROOT = authority("Root", "256")
# Generated once: the key is never under test.
KEY = keys.generate("256")
oracle = settings(max_examples=25, deadline=None)


@pytest.mark.parametrize("kind", keys.KINDS)
def test_openssl_verifies_a_chain_of_every_kind_of_key(kind, tmp_path):
    root = authority("Root", kind)
    middle = authority("Middle", kind, under=root)
    wanted, key = template("device", kind)
    leaf = middle.sign(wanted)
    anchors = written(tmp_path, "root.pem", pem(root.chain()[0]))
    between = written(tmp_path, "middle.pem", pem(middle.chain()[0]))
    checked = written(tmp_path, "leaf.pem", pem(leaf))
    strict = ("verify", "-x509_strict", "-CAfile", anchors)
    assert "OK" in openssl(*strict, "-untrusted", between, checked)
    written(tmp_path, "key.pem", keys.to_pem(key))
    public = openssl("pkey", "-in", tmp_path / "key.pem", "-pubout")
    assert public == openssl("x509", "-in", checked, "-noout", "-pubkey")


@pytest.mark.parametrize("kind", ["2048", "521", "ed25519"])
def test_a_key_with_a_passphrase_is_opened_by_openssl_and_by_us_with_it_alone(kind):
    key = keys.generate(kind)
    sealed = keys.to_pem(key, "correct horse")
    assert "ENCRYPTED" in sealed
    opened = openssl("pkey", "-passin", "pass:correct horse", "-pubout", given=sealed)
    assert opened == openssl("pkey", "-pubout", given=keys.to_pem(key))
    assert keys.public_bytes(keys.load(sealed, "correct horse").public_key()) == (
        keys.public_bytes(key.public_key())
    )
    with pytest.raises(Rejected) as refused:
        keys.load(sealed, "wrong")
    assert list(refused.value.errors) == ["passphrase"]


@pytest.mark.parametrize("digest", ["sha1", "md5", "sha224"])
def test_a_weak_digest_is_refused_for_a_new_signature(digest):
    wanted, _ = template(digest=digest)
    with pytest.raises(Rejected, match="too weak"):
        ROOT.sign(wanted)


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_openssl_names_the_digest_that_was_asked_for(digest):
    wanted, _ = template(digest=digest)
    text = openssl("x509", "-noout", "-text", given=pem(ROOT.sign(wanted)))
    assert f"ecdsa-with-{digest.upper()}" in text


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn"]), max_size=64
)


@oracle
@given(
    st.builds(
        Subject,
        country_code=st.text(string.ascii_uppercase, min_size=2, max_size=2),
        state=TEXT,
        city=TEXT,
        organization_name=TEXT,
        organizational_unit_name=TEXT,
        email=st.emails(),
        common_name=TEXT,
    )
)
def test_openssl_reads_the_subject_that_was_written(subject):
    wanted, _ = template(subject=to_name(subject), key=KEY)
    certificate = ROOT.sign(wanted)
    options = "multiline,utf8,-esc_ctrl,-esc_msb"
    shown = openssl("x509", "-noout", "-subject", "-nameopt", options, given=pem(certificate))
    found = dict(re.findall(r"^    (\w+) += (.*)$", shown, re.MULTILINE))
    expected = {
        "countryName": subject.country_code,
        "stateOrProvinceName": subject.state,
        "localityName": subject.city,
        "organizationName": subject.organization_name,
        "organizationalUnitName": subject.organizational_unit_name,
        "emailAddress": subject.email,
        "commonName": subject.common_name,
    }
    assert found == {name: text for name, text in expected.items() if text}
    assert from_name(certificate.subject) == subject


@oracle
@given(
    serial=st.integers(1, 2**159 - 1),
    start=st.datetimes(datetime(1951, 1, 1), datetime(9000, 1, 1)),  # noqa: DTZ001 - hypothesis
    seconds=st.integers(1, 20 * 365 * 86400),
)
def test_openssl_reads_the_serial_and_the_dates_that_were_written(serial, start, seconds):
    start = start.replace(tzinfo=UTC, microsecond=0)
    end = start + timedelta(seconds=seconds)
    wanted, _ = template(serial_number=serial, not_before=start, not_after=end, key=KEY)
    shown = openssl(
        "x509", "-noout", "-serial", "-startdate", "-enddate", "-dateopt", "iso_8601",
        given=pem(ROOT.sign(wanted)),
    )  # fmt: skip
    found = dict(line.split("=", 1) for line in shown.splitlines())
    assert int(found["serial"], 16) == serial
    # Four-digit year, which %Y does not always produce.
    assert found["notBefore"] == start.isoformat(" ").replace("+00:00", "Z")
    assert found["notAfter"] == end.isoformat(" ").replace("+00:00", "Z")


HOSTS = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{2,5}){1,3}", fullmatch=True)
NAMES = st.lists(
    st.one_of(
        HOSTS.map("DNS:{}".format),
        st.ip_addresses().map("IP:{}".format),
        HOSTS.map("email:root@{}".format),
        HOSTS.map("URI:https://{}/a?b=1".format),
    ),
    min_size=1,
    max_size=6,
)
USAGES = st.sets(st.sampled_from(list(KEY_USAGES)[:7]), min_size=1)
PURPOSES = st.sets(st.sampled_from(list(EXTENDED_KEY_USAGES)), min_size=1)


@oracle
@given(
    names=NAMES,
    usages=USAGES,
    purposes=PURPOSES,
    types=st.sets(st.sampled_from(list(filter(None, NS_CERT_TYPES))), min_size=1),
    comment=st.from_regex(r"[a-z]([A-Za-z ,:]{0,200}[a-z])?", fullmatch=True),
    critical=st.booleans(),
)
def test_openssl_builds_the_same_bytes_from_the_same_words(
    names, usages, purposes, types, comment, critical, tmp_path_factory
):
    """The values use openssl's configuration syntax, so openssl can sign them as well."""
    given_words = {
        "subjectAltName": ",".join(names),
        "keyUsage": ",".join(sorted(usages)),
        "extendedKeyUsage": ",".join(sorted(purposes)),
        "nsCertType": ",".join(sorted(types)),
        "nsComment": comment,
        "certificatePolicies": "1.3.6.1.4.1.99999.1,2.5.29.32.0",
    }
    items = [
        {"name": name, "value": value, "critical": critical}
        for name, value in given_words.items()
    ]
    wanted, _ = template(extensions=items, key=KEY)
    ours = ROOT.sign(wanted)
    folder = tmp_path_factory.mktemp("openssl")
    mark = "critical," if critical else ""
    lines = [
        f'{name}={mark}"{value}"' if name == "nsComment" else f"{name}={mark}{value}"
        for name, value in given_words.items()
    ]
    config = written(folder, "x.cnf", "[req]\ndistinguished_name=n\nx509_extensions=e\n[n]\n[e]\n"
                     + "\n".join(lines) + "\n")  # fmt: skip
    key = written(folder, "key.pem", keys.to_pem(KEY))
    theirs = x509.load_pem_x509_certificate(
        openssl(
            "req", "-x509", "-new", "-config", config, "-key", key, "-subj", "/CN=a"
        ).encode()
    )
    for extension in theirs.extensions:
        if extension.oid in {known.oid for known in KNOWN.values()}:
            found = ours.extensions.get_extension_for_oid(extension.oid)
            assert found.value.public_bytes() == extension.value.public_bytes()
            assert found.critical == extension.critical


@oracle
@given(names=NAMES, usages=USAGES, purposes=PURPOSES, critical=st.booleans())
def test_what_is_read_back_from_a_certificate_makes_the_same_one_again(
    names, usages, purposes, critical
):
    items = [
        {"name": "subjectAltName", "value": names, "critical": critical},
        {"name": "keyUsage", "value": sorted(usages), "critical": critical},
        {"name": "extendedKeyUsage", "value": sorted(purposes), "critical": not critical},
        {"oid": "1.3.6.1.4.1.99999.7", "value": "ASN1:UTF8:string:größer", "critical": False},
    ]
    wanted, _ = template(extensions=items, key=KEY)
    first = ROOT.sign(wanted)
    again, _ = template(extensions=from_certificate(first.extensions), key=KEY)
    second = ROOT.sign(again)
    assert [(e.oid, e.critical, e.value.public_bytes()) for e in first.extensions] == [
        (e.oid, e.critical, e.value.public_bytes()) for e in second.extensions
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ASN1:UTF8:string:f81d4fae-7dec", "UTF8STRING        :f81d4fae-7dec"),
        ("ASN1:PRINTABLE:string:00-B0-D0", "PRINTABLESTRING   :00-B0-D0"),
        ("ASN1:IA5:string:a@b", "IA5STRING         :a@b"),
        ("ASN1:OCTET:hex:0A:0B:0C", "[HEX DUMP]:0A0B0C"),
        ("ASN1:UTF8:string:" + "x" * 300, "UTF8STRING        :" + "x" * 300),
    ],
)
def test_openssl_reads_a_custom_extension(value, shown):
    (extension,) = parse([{"oid": "1.3.6.1.4.1.99999.7", "value": value}])
    text = openssl("asn1parse", "-inform", "DER", given=extension.value.public_bytes())
    assert shown in text


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ("no list", "a list"),
        ([7], "object"),
        ([{"value": "x"}], "not a known name"),
        ([{"name": "keyUsage"}], "a text"),
        ([{"name": "keyUsage", "value": " , "}], "empty"),
        ([{"name": "keyUsage", "value": "fly"}], "not a usage"),
        ([{"name": "keyUsage", "value": "encipherOnly"}], "keyAgreement"),
        ([{"name": "keyUsage", "value": "cRLSign", "critical": "yes"}], "true or false"),
        ([{"name": "keyUsage", "value": "cRLSign", "extra": 1}], "keyUsage|oneOf|valid"),
        ([{"name": "extendedKeyUsage", "value": "root"}], "not a known usage"),
        ([{"name": "nsCertType", "value": "router"}], "not a certificate type"),
        ([{"name": "nsComment", "value": ["a"]}], "a text"),
        ([{"name": "nsComment", "value": "grün"}], "ASCII"),
        ([{"name": "nsComment", "value": "a\0b"}], "null"),
        ([{"oid": "1.3.6.1.4.1.9", "value": "ASN1:UTF8:string:a\0b"}], "null"),
        ([{"name": "basicConstraints", "value": "CA:MAYBE"}], "CA:TRUE"),
        ([{"name": "basicConstraints", "value": "CA:FALSE,pathlen:1"}], "pathlen"),
        ([{"name": "subjectAltName", "value": "IP:300.1.1.1"}], "not an IP"),
        ([{"name": "subjectAltName", "value": "host"}], "DNS:host"),
        ([{"name": "subjectAltName", "value": "DNS:bücher.example"}], "xn--"),
        ([{"name": "keyUsage", "value": "cRLSign"}] * 2, "more than once"),
        ([{"oid": "not-an-oid", "value": "ASN1:UTF8:string:x"}], "numbers with dots"),
        ([{"oid": "1.3.6.1.4.1.9", "value": "x"}], "ASN1:"),
        ([{"oid": "1.3.6.1.4.1.9", "value": "ASN1:UTF8:x"}], "write the value"),
        ([{"oid": "1.3.6.1.4.1.9", "value": "ASN1:REAL:string:x"}], "one of"),
        ([{"oid": "1.3.6.1.4.1.9", "value": "ASN1:UTF8:blob:x"}], "string"),
        ([{"oid": "1.3.6.1.4.1.9", "value": "ASN1:OCTET:hex:0G"}], "hexadecimal"),
        ([{"oid": "1.3.6.1.4.1.9", "value": "ASN1:IA5:string:cafè"}], "ASCII"),
        ([{"oid": "1.3.6.1.4.1.9", "value": "ASN1:PRINTABLE:string:a@b"}], "PRINTABLE"),
        ([{"oid": "1.3.6.1.4.1.9", "value": "ASN1:UTF8:string:" + "x" * 70000}], "64 KiB"),
        ([{"oid": "2.5.29.15", "value": "ASN1:UTF8:string:x"}], "keyUsage"),
        ([{"oid": "2.5.29.14", "value": "ASN1:UTF8:string:x"}], "by itself"),
        ([{"oid": "1.3.6.1.4.1.9", "value": "ASN1:UTF8:string:a"}] * 2, "more than once"),
    ],
)
def test_a_bad_extension_is_refused_with_its_reason(items, problem):
    with pytest.raises(Rejected, match=problem) as refused:
        parse(items)
    assert list(refused.value.errors) == ["extensions"]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["name", "oid", "value", "critical"]),
            st.one_of(
                st.sampled_from([*KNOWN, "2.5.29.17", "1.2.3", "ASN1:UTF8:string:x", "DER:05"]),
                st.text(max_size=12),
                st.booleans(),
                st.lists(st.text(max_size=5), max_size=3),
                st.none(),
            ),
        ),
        max_size=3,
    )
)
def test_no_extensions_whatever_raise_anything_but_a_refusal(items):
    def sign():
        wanted, _ = template(extensions=items, key=KEY)
        ROOT.sign(wanted)

    assert set(refusal(sign)) <= {"extensions"}


def test_the_schema_accepts_what_is_written_for_a_certificate_of_ours():
    wanted, _ = template(extensions=[{"name": "extendedKeyUsage", "value": "clientAuth"}])
    items = from_certificate(ROOT.sign(wanted).extensions)
    assert [item["name"] for item in items] == [
        "extendedKeyUsage",
        "basicConstraints",
        "keyUsage",
    ]
    assert parse(items)
    assert SCHEMA["items"]["oneOf"][0]["properties"]["name"]["enum"] == list(KNOWN)


def test_an_authority_with_a_path_length_of_zero_vouches_for_no_authority():
    middle = authority("Middle", under=ROOT)
    with pytest.raises(Rejected, match="path length is 0"):
        authority("Below", under=middle)


def test_an_issuers_path_length_bounds_those_below(tmp_path):
    two = [{"name": "basicConstraints", "value": "CA:TRUE,pathlen:1", "critical": True}]
    root = authority("Bounded", extensions=two)
    with pytest.raises(Rejected, match="pathlen:0"):
        authority("Below", under=root, extensions=two)
    assert authority("Below", under=root).chain()


def test_a_device_certificate_cannot_ask_to_be_an_authority():
    wanted, _ = template(extensions=[{"name": "basicConstraints", "value": "CA:TRUE"}])
    with pytest.raises(Rejected, match="create a CA instead"):
        ROOT.sign(wanted)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"serial_number": 0}, "serial_number"),
        ({"serial_number": -5}, "serial_number"),
        ({"serial_number": 2**159}, "serial_number"),
        ({"not_after": NOW - timedelta(days=9)}, "validity_end"),
        ({"not_before": datetime(1900, 1, 1, tzinfo=UTC)}, "validity_start"),
    ],
)
def test_impossible_values_are_refused_under_their_field(values, field):
    wanted, _ = template(**values)
    with pytest.raises(Rejected) as refused:
        ROOT.sign(wanted)
    assert list(refused.value.errors) == [field]


def test_a_subject_is_refused_under_the_field_at_fault():
    with pytest.raises(Rejected) as refused:
        to_name(Subject(country_code="ITA", common_name="x" * 65, city="a\x00b", email="ä@b.c"))
    assert set(refused.value.errors) == {"country_code", "common_name", "city", "email"}


def test_unsupported_keys_say_what_they_are():
    for key in (dsa.generate_private_key(1024), ed448.Ed448PrivateKey.generate()):  # noqa: S505
        text = key.private_bytes(
            keys.serialization.Encoding.PEM,
            keys.serialization.PrivateFormat.PKCS8,
            keys.serialization.NoEncryption(),
        ).decode()
        with pytest.raises(Rejected, match=r"not supported|unknown kind"):
            keys.load(text)


def test_openssl_opens_the_pkcs12_with_the_passphrase(tmp_path):
    middle = authority("Middle", under=ROOT)
    wanted, key = template("device")
    bundle = pkcs12_bundle("device", key, middle.sign(wanted), middle.chain(), "open sesame")
    path = written(tmp_path, "device.p12", bundle)
    shown = openssl("pkcs12", "-in", path, "-passin", "pass:open sesame", "-nodes")
    assert shown.count("BEGIN CERTIFICATE") == 3
    assert shown.count("BEGIN PRIVATE KEY") == 1
    openssl("pkcs12", "-in", path, "-passin", "pass:other", "-nodes", fails=True)
    assert pkcs12.load_pkcs12(bundle, b"open sesame").cert.friendly_name == b"device"
    with pytest.raises(Rejected, match="at least"):
        pkcs12_bundle("device", key, middle.sign(wanted), [], "")


def test_openssl_reads_certificates_alone_from_a_pkcs7():
    data = certificates_only(authority("Middle", under=ROOT).chain())
    shown = openssl("pkcs7", "-inform", "DER", "-print_certs", given=data)
    assert shown.count("BEGIN CERTIFICATE") == 2


def test_the_summary_is_plain_words_and_never_pem():
    items = [
        {"name": "extendedKeyUsage", "value": "serverAuth,clientAuth"},
        {"name": "subjectAltName", "value": "DNS:vpn.example.org,IP:10.0.0.1"},
        {"name": "nsComment", "value": "made, here"},
        {"oid": "1.3.6.1.4.1.99999.7", "value": "ASN1:UTF8:string:x"},
    ]
    wanted, _ = template("vpn", extensions=items)
    lines = dict(summarize(ROOT.sign(wanted)))
    assert lines["Issued to"] == "CN=vpn"
    assert lines["Issued by"] == "CN=Root"
    assert lines["Key"] == "ECDSA P-256"
    assert lines["May"] == "prove a server's identity; prove a client's identity"
    assert lines["Names"] == "DNS:vpn.example.org, IP:10.0.0.1"
    assert lines["Comment"] == "made, here"
    assert "further authorities" in dict(summarize(ROOT.chain()[0]))["Authority"]
    assert not any("-----" in text for text in lines.values())
