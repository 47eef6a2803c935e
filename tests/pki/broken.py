"""Invalid imports: changed fields, the field at fault, and the message."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa
from cryptography.x509.oid import NameOID

from pki.engine import keys
from pki.engine.software_ca import SoftwareAuthority
from tests.pki.oracle import NOW, authority, openssl, pem, template

Broken = tuple[dict[str, str], str, str]
AUTHORITIES: dict[str, Callable[[], Broken]] = {}
END_ENTITIES: dict[str, Callable[[], Broken]] = {}


@cache
def issued() -> dict[str, Any]:
    """Return a valid CA and certificate; each invalid case differs in one property."""
    wanted, ca_key = template("Sound CA", authority=True)
    ca = SoftwareAuthority.create(wanted, ca_key)
    leaf_wanted, leaf_key = template("sound")
    leaf = ca.sign(leaf_wanted)
    return {
        "authority": ca,
        "chain": list(ca.chain()),
        "ca": pem(ca.chain()[0]),
        "ca_key": keys.to_pem(ca_key),
        "cert": pem(leaf),
        "cert_key": keys.to_pem(leaf_key),
        "cert_key_object": leaf_key,
    }


def case(
    name: str, field: str, words: str, *, both: bool = False, leaf: bool = False
) -> Callable[[Callable[[dict[str, Any]], dict[str, str]]], None]:
    """Register an invalid import of a CA, a certificate, or both."""

    def register(change: Callable[[dict[str, Any]], dict[str, str]]) -> None:
        def build(kind: str) -> Broken:
            made = issued()
            sound = {"certificate": made[kind], "private_key": made[f"{kind}_key"]}
            return sound | change(made), field, words

        if both or not leaf:
            AUTHORITIES[name] = lambda: build("ca")
        if both or leaf:
            END_ENTITIES[name] = lambda: build("cert")

    return register


def exported(key: Any, **changes: Any) -> str:
    form = serialization.PrivateFormat.PKCS8
    options = {"encryption_algorithm": serialization.NoEncryption()} | changes
    return key.private_bytes(serialization.Encoding.PEM, form, **options).decode()


def signed(key: Any, by: Any, **changes: Any) -> str:
    """Return a certificate that our engine would never create."""
    values = {
        "issuer": "Odd", "subject": "Odd", "start": NOW - timedelta(days=1),
        "end": NOW + timedelta(days=1), "digest": hashes.SHA256(), "constraints": True,
        "usage": None,
    } | changes  # fmt: skip

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(values["subject"]))
        .issuer_name(name(values["issuer"]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(values["start"])
        .not_valid_after(values["end"])
    )
    if values["constraints"]:
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = builder.add_extension(constraints, critical=True)
    if values["usage"]:
        builder = builder.add_extension(values["usage"], critical=True)
    return pem(builder.sign(by, values["digest"]))


# --- invalid texts
case("a blank certificate", "certificate", "blank", both=True)(lambda _: {"certificate": "  "})
case("a blank key", "private_key", "blank", both=True)(lambda _: {"private_key": "\n"})
case("words for a certificate", "certificate", "No PEM", both=True)(
    lambda _: {"certificate": "x"}
)
case("words for a key", "private_key", "No PEM", both=True)(lambda _: {"private_key": "y"})
case("beyond ASCII", "certificate", "ASCII")(
    lambda m: {"certificate": f"{m['ca'][:200]}ü{m['ca'][200:]}"}
)
case("a key beyond ASCII", "private_key", "ASCII")(
    lambda m: {"private_key": f"{m['ca_key'][:60]}é{m['ca_key'][60:]}"}
)
case("the two swapped", "certificate", "private key, not a cert", both=True)(
    lambda m: {"certificate": m["cert_key"], "private_key": m["cert"]}
)
case("a certificate as key", "private_key", "not a private key")(
    lambda m: {"private_key": m["ca"]}
)
case("too much text", "certificate", "KiB")(lambda m: {"certificate": m["ca"] + "x" * 70000})
case("too much key", "private_key", "KiB")(lambda m: {"private_key": m["ca_key"] + "x" * 70000})
case("a null character", "certificate", "damaged")(
    lambda m: {"certificate": m["ca"][:90] + "\x00" + m["ca"][90:]}
)
case("base64 of something else", "certificate", "damaged", both=True)(
    lambda _: {
        "certificate": "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"
    }
)
case("no base64", "certificate", "damaged")(
    lambda _: {"certificate": "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"}
)
case("cut in the middle", "certificate", "damaged", both=True)(
    lambda m: {"certificate": m["ca"][: len(m["ca"]) // 2]}
)
case("without its last line", "certificate", "damaged")(
    lambda m: {"certificate": m["ca"].rsplit("-----END", 1)[0]}
)
case("a key cut in the middle", "private_key", "damaged", both=True)(
    lambda m: {"private_key": m["ca_key"][: len(m["ca_key"]) // 2]}
)
case("a key of other base64", "private_key", "damaged", both=True)(
    lambda _: {
        "private_key": "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n"
    }
)
case("two keys", "private_key", "2 private keys")(lambda m: {"private_key": m["ca_key"] * 2})
case("a certificate request", "certificate", "certificate request")(
    lambda m: {"certificate": openssl("req", "-new", "-key", "/dev/stdin", "-subj", "/CN=x",
                                      given=m["ca_key"])}
)  # fmt: skip
case("a public key", "private_key", "public key")(
    lambda m: {"private_key": openssl("pkey", "-pubout", given=m["ca_key"])}
)
case("an OpenSSH key", "private_key", "OpenSSH")(
    lambda m: {
        "private_key": m["cert_key_object"]
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        .decode()
    }
)
case("a revocation list", "certificate", "x509 crl")(
    lambda _: {"certificate": "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"}
)

# --- passphrases
case("an encrypted key without its passphrase", "passphrase", "give its passphrase")(
    lambda m: {
        "private_key": exported(
            m["cert_key_object"],
            encryption_algorithm=serialization.BestAvailableEncryption(b"secret"),
        )
    }
)
case("the wrong passphrase", "passphrase", "does not open")(
    lambda m: {
        "private_key": keys.to_pem(m["cert_key_object"], "secret"),
        "passphrase": "guess",
    }
)
case("a passphrase for a key in clear", "passphrase", "not encrypted", both=True)(
    lambda _: {"passphrase": "secret"}
)
case("an encrypted key of the old form without passphrase", "passphrase", "give its")(
    lambda m: {"private_key": openssl("ec", "-aes128", "-passout", "pass:secret",
                                      given=m["ca_key"]).removeprefix("read EC key\nwriting EC key\n")}
)  # fmt: skip


# --- unsupported keys
@case("a DSA key", "private_key", "not supported|unknown kind")
def _(_: dict[str, Any]) -> dict[str, str]:
    return {"private_key": exported(dsa.generate_private_key(1024))}  # noqa: S505


@case("an Ed448 key", "private_key", "Ed448")
def _(_: dict[str, Any]) -> dict[str, str]:
    return {"private_key": exported(ed448.Ed448PrivateKey.generate())}


@case("a Bitcoin curve", "private_key", "secp256k1")
def _(_: dict[str, Any]) -> dict[str, str]:
    return {"private_key": exported(ec.generate_private_key(ec.SECP256K1()))}


@case("an RSA key of 512 bits", "private_key", "512|unknown kind")
def _(_: dict[str, Any]) -> dict[str, str]:
    return {"private_key": openssl("genrsa", "-traditional", "512").split("\n", 0)[0]}


@case("a certificate on a Bitcoin curve", "certificate", "secp256k1")
def _(_: dict[str, Any]) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256K1())
    return {"certificate": signed(key, key)}


@case("a certificate with an Ed448 key", "certificate", "Ed448")
def _(_: dict[str, Any]) -> dict[str, str]:
    key = ed448.Ed448PrivateKey.generate()
    return {"certificate": signed(key, key, digest=None)}


@case("an MD5 signature", "certificate", "md5")
def _(_: dict[str, Any]) -> dict[str, str]:
    key = exported(rsa.generate_private_key(65537, 1024))  # noqa: S505
    made = openssl(
        "req", "-x509", "-new", "-key", "/dev/stdin", "-subj", "/CN=a", "-md5", given=key
    )
    return {"certificate": made, "private_key": key}


# --- mismatched certificates and keys
case("the key of another", "private_key", "does not belong")(
    lambda m: {"private_key": m["cert_key"]}
)
case("another's key for a certificate", "private_key", "does not belong", leaf=True)(
    lambda m: {"private_key": m["ca_key"]}
)
case("a key of another kind", "private_key", "does not belong", both=True)(
    lambda _: {"private_key": exported(rsa.generate_private_key(65537, 2048))}
)
case("a device's certificate as authority", "certificate", "lacks basicConstraints")(
    lambda m: {"certificate": m["cert"], "private_key": m["cert_key"]}
)


@case("an authority without constraints", "certificate", "lacks basicConstraints")
def _(_: dict[str, Any]) -> dict[str, str]:
    key = keys.generate("256")
    return {"certificate": signed(key, key, constraints=False), "private_key": exported(key)}


@case("an authority that may not sign", "certificate", "keyUsage")
def _(_: dict[str, Any]) -> dict[str, str]:
    key = keys.generate("256")
    usage = keys_usage("digitalSignature")
    return {"certificate": signed(key, key, usage=usage), "private_key": exported(key)}


def keys_usage(name: str) -> x509.KeyUsage:
    return template(extensions=[{"name": "keyUsage", "value": name}])[0].extensions[0].value


@case("expired", "certificate", "Expired on")
def _(_: dict[str, Any]) -> dict[str, str]:
    key = keys.generate("256")
    dates = {"start": NOW - timedelta(days=9), "end": NOW - timedelta(days=2)}
    return {"certificate": signed(key, key, **dates), "private_key": exported(key)}


@case("signed by nobody it names", "certificate", "its key did not sign it")
def _(_: dict[str, Any]) -> dict[str, str]:
    key = keys.generate("256")
    return {"certificate": signed(key, keys.generate("256")), "private_key": exported(key)}


@case("a chain that is not its own", "certificate", "Certificate 2 did not issue")
def _(m: dict[str, Any]) -> dict[str, str]:
    return {"certificate": m["ca"] + pem(authority("Other").chain()[0])}


@case("a chain in the wrong order", "private_key", "does not belong")
def _(m: dict[str, Any]) -> dict[str, str]:
    wanted, key = template("Middle", authority=True)
    middle = m["authority"].sign(wanted)
    return {"certificate": m["ca"] + pem(middle), "private_key": exported(key)}


@case("a chain through a device", "certificate", "not an authority")
def _(m: dict[str, Any]) -> dict[str, str]:
    key = keys.generate("256")
    made = signed(key, m["cert_key_object"], issuer="sound")
    return {"certificate": made + m["cert"], "private_key": exported(key)}


@case("a long chain", "certificate", "at most")
def _(m: dict[str, Any]) -> dict[str, str]:
    return {"certificate": m["ca"] * 9}


@case("one whole, one damaged", "certificate", "damaged")
def _(m: dict[str, Any]) -> dict[str, str]:
    return {"certificate": m["ca"] + m["ca"].replace("MII", "MIJ", 1)}


@case("of another authority", "certificate", "its issuer is CN=Other", leaf=True)
def _(_: dict[str, Any]) -> dict[str, str]:
    wanted, key = template("device")
    return {"certificate": pem(authority("Other").sign(wanted)), "private_key": exported(key)}


@case("of an authority with the same name", "certificate", "another key", leaf=True)
def _(_: dict[str, Any]) -> dict[str, str]:
    wanted, key = template("device")
    return {
        "certificate": pem(authority("Sound CA").sign(wanted)),
        "private_key": exported(key),
    }


@case("with strangers after it", "certificate", "not the CA's chain", leaf=True)
def _(m: dict[str, Any]) -> dict[str, str]:
    return {"certificate": m["cert"] + pem(authority("Other").chain()[0])}


@case("an expired device", "certificate", "Expired on", leaf=True)
def _(m: dict[str, Any]) -> dict[str, str]:
    dates = {"not_before": NOW - timedelta(days=9), "not_after": NOW - timedelta(days=2)}
    wanted, key = template("device", **dates)
    return {"certificate": pem(m["authority"].sign(wanted)), "private_key": exported(key)}
