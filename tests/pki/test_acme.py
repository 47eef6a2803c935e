"""The ACME server against certbot and misbehaving clients."""

import hmac
import json
import shutil
import subprocess
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as options
from hypothesis import strategies as st

from controller.base.errors import Unreachable
from pki import rules, tasks
from pki.drivers import http01
from pki.engine import jws, keys
from pki.engine.errors import Rejected
from pki.models import AcmeAuthorization, AcmeOrder, Cert, Issued
from tests import factories
from tests.fleet.ports import free_port
from tests.pki.oracle import openssl, refusal, written

pytestmark = pytest.mark.django_db
WAIT_SECONDS = 60


def number(value, size=0):
    return jws.pad(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def jwk_of(key):
    public = key.public_key()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": jws.pad(public.public_bytes_raw())}
    numbers = public.public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    return {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}


def signature(key, data):
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "EdDSA", key.sign(data)
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256", key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    first, second = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return "ES256", first.to_bytes(32, "big") + second.to_bytes(32, "big")


def sign(key, protected, payload):
    algorithm, _ = signature(key, b"")
    header = jws.pad(json.dumps({"alg": algorithm} | protected).encode())
    body = "" if payload is None else jws.pad(json.dumps(payload).encode())
    _, signed = signature(key, f"{header}.{body}".encode())
    return {"protected": header, "payload": body, "signature": jws.pad(signed)}


class Acme:
    """An ACME client that can also send invalid requests."""

    def __init__(self, client, ca, key=None):
        self.http, self.base = client, f"http://testserver/pki/acme/{ca.pk}"
        self.key, self.kid = key or keys.generate("256"), None

    def nonce(self):
        return self.http.head(f"{self.base}/new-nonce")["Replay-Nonce"]

    def send(self, url, payload, **protected):
        who = {"kid": self.kid} if self.kid else {"jwk": jwk_of(self.key)}
        header = {"nonce": self.nonce(), "url": url} | who | protected
        return self.post(url, sign(self.key, {k: v for k, v in header.items() if v}, payload))

    def post(self, url, body):
        return self.http.post(url, json.dumps(body), content_type="application/jose+json")

    def call(self, path, payload=None, **protected):
        url = path if path.startswith("http") else f"{self.base}/{path}"
        return self.send(url, payload, **protected)

    def register(self, **content):
        self.kid = None
        answer = self.call("new-account", {"termsOfServiceAgreed": True} | content)
        if answer.status_code in {200, 201}:
            self.kid = answer["Location"]
        return answer

    def order(self, *names):
        identifiers = [{"type": "dns", "value": name} for name in names]
        return self.call("new-order", {"identifiers": identifiers})


def csr_of(key, *names, common_name="", addresses=()):
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])
    )
    alternatives = [*(x509.DNSName(name) for name in names), *addresses]
    builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return jws.pad(builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER))


def problem(answer):
    assert answer["Content-Type"] == "application/problem+json", answer.content
    return answer.status_code, answer.json()["type"].removeprefix("urn:ietf:params:acme:error:")


@pytest.fixture
def ca(organization):
    return factories.ca(organization, enrollment="open")


@pytest.fixture
def acme(client, ca):
    made = Acme(client, ca)
    assert made.register(contact=["mailto:noc@example.org"]).status_code == 201
    return made


def proven(acme, *names):
    """Return an order with validated names."""
    order = acme.order(*names)
    assert order.status_code == 201, order.content
    AcmeAuthorization.objects.update(status="valid", validated=timezone.now())
    return order


def run_and_validate(command, output):
    """Run a client, acting as the worker meanwhile. Returns what it wrote."""
    with output.open("wb") as file:
        program = subprocess.Popen(
            [str(word) for word in command], stdout=file, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + WAIT_SECONDS
        while program.poll() is None and time.monotonic() < deadline:
            for found in list(AcmeAuthorization.objects.filter(status="processing")):
                tasks.validate(str(found.pk))
            time.sleep(0.05)
        program.kill()
        program.wait()
    text = output.read_text()
    assert program.returncode == 0, text
    return text


def certbot(folder, *arguments):
    """Run Debian's certbot."""
    command = [
        shutil.which("certbot"), *map(str, arguments), "--non-interactive", "--no-random-sleep-on-renew",
        "--config-dir", folder / "etc", "--work-dir", folder / "work", "--logs-dir", folder / "log",
    ]  # fmt: skip
    return run_and_validate(command, folder / "output")


@pytest.mark.django_db(transaction=True)
def test_certbot_gets_renews_and_revokes_a_certificate(live_server, ca, settings, tmp_path):
    settings.PKI_HTTP01_PORT = port = free_port()
    here = ("--standalone", "--http-01-address", "127.0.0.1", "--http-01-port", port)
    server = ("--server", f"{live_server.url}/pki/acme/{ca.pk}/directory")
    certbot(tmp_path, "certonly", *here, *server, "-d", "localhost", "--agree-tos",
            "-m", "noc@example.org", "--no-eff-email")  # fmt: skip
    found = tmp_path / "etc/live/localhost"
    anchors = written(tmp_path, "ca.pem", ca.certificate)
    verify = ("verify", "-CAfile", anchors, "-verify_hostname", "localhost", "-purpose")
    assert "OK" in openssl(*verify, "sslserver", found / "cert.pem")
    first = Cert.objects.get()
    assert first.organization == ca.organization
    assert first.private_key == ""
    assert first.days_left in {88, 89}

    certbot(tmp_path, "renew", "--force-renewal", *here)
    renewed = Cert.objects.get()
    assert renewed.pk == first.pk
    assert renewed.serial_number != first.serial_number
    assert (found / "cert.pem").read_text() == renewed.certificate
    assert "OK" in openssl(*verify, "sslclient", found / "cert.pem")

    certbot(tmp_path, "revoke", *server, "--cert-path", found / "cert.pem", "--reason",
            "keycompromise", "--delete-after-revoke")  # fmt: skip
    revoked = Cert.objects.get()
    assert revoked.revoked
    assert revoked.revocation_reason == "keyCompromise"
    assert Issued.objects.filter(revoked_at__isnull=False).count() == 2


@pytest.mark.django_db(transaction=True)
def test_certbot_gets_a_certificate_for_a_device_by_the_devices_own_key(
    live_server, organization, tmp_path
):
    ca = factories.ca(organization, enrollment="devices")
    device = factories.device(organization, name="router-1.lan")
    certbot(
        tmp_path, "certonly", "--standalone", "--http-01-port", free_port(),
        "--server", f"{live_server.url}/pki/acme/{ca.pk}/directory", "-d", "router-1.lan",
        "--agree-tos", "--register-unsafely-without-email",
        "--eab-kid", device.pk, "--eab-hmac-key", device.key,
    )  # fmt: skip
    cert = Cert.objects.get()
    assert (cert.common_name, cert.organization) == ("router-1.lan", organization)


@pytest.mark.parametrize("kind", ["256", "2048", "ed25519"])
def test_the_whole_way_with_each_kind_of_account_key(client, ca, kind):
    acme = Acme(client, ca, keys.generate(kind))
    account = acme.register()
    assert account.status_code == 201
    assert acme.register().status_code == 200, "the same key is the same account"
    order = proven(acme, "b.lan", "A.lan")
    url = order["Location"]
    assert [one["value"] for one in order.json()["identifiers"]] == ["a.lan", "b.lan"]
    assert acme.call(url).json()["status"] == "ready"
    key = keys.generate("256")
    done = acme.call(order.json()["finalize"], {"csr": csr_of(key, "a.lan", "b.lan")})
    assert done.status_code == 200, done.content
    assert done.json()["status"] == "valid"
    chain = acme.call(done.json()["certificate"])
    assert chain["Content-Type"] == "application/pem-certificate-chain"
    leaf, above = x509.load_pem_x509_certificates(chain.content)
    assert leaf.public_key() == key.public_key()
    assert above == ca.parsed
    orders = acme.call(f"account/{acme.kid.rsplit('/', 1)[1]}/orders").json()["orders"]
    assert orders == [url]


def test_the_answers_carry_what_clients_look_for(acme):
    answer = acme.http.get(f"{acme.base}/directory")
    assert set(answer.json()) == {
        "newNonce", "newAccount", "newOrder", "revokeCert", "keyChange", "meta",
    }  # fmt: skip
    assert answer["Replay-Nonce"]
    head = acme.http.head(f"{acme.base}/new-nonce")
    assert (head.status_code, head["Cache-Control"]) == (200, "no-store")
    assert acme.http.get(f"{acme.base}/new-nonce").status_code == 204
    assert f'<{acme.base}/directory>;rel="index"' in acme.order("a.lan")["Link"]
    assert acme.http.post(
        f"{acme.base}/directory", "{}", "application/jose+json"
    ).status_code in {400, 405}
    assert acme.http.get(f"{acme.base}/new-order").status_code == 405


def test_an_authority_that_is_not_open_has_no_directory(client, organization):
    ca = factories.ca(organization)
    assert client.get(f"/pki/acme/{ca.pk}/directory").status_code == 404
    assert client.get("/pki/acme/999/directory").status_code == 404


def test_a_message_is_good_for_one_use_one_address_and_one_key(acme, client, ca):
    url = f"{acme.base}/new-order"
    payload = {"identifiers": [{"type": "dns", "value": "a.lan"}]}
    message = sign(acme.key, {"nonce": acme.nonce(), "url": url, "kid": acme.kid}, payload)
    assert acme.post(url, message).status_code == 201
    again = acme.post(url, message)
    assert problem(again) == (400, "badNonce")
    assert again["Replay-Nonce"]
    elsewhere = sign(
        acme.key, {"nonce": acme.nonce(), "url": url + "x", "kid": acme.kid}, payload
    )
    assert problem(acme.post(url, elsewhere)) == (403, "unauthorized")
    forged = sign(
        keys.generate("256"), {"nonce": acme.nonce(), "url": url, "kid": acme.kid}, payload
    )
    assert problem(acme.post(url, forged)) == (400, "malformed")
    stranger = Acme(client, ca)
    assert problem(stranger.order("a.lan")) == (400, "malformed")
    stranger.kid = f"{acme.base}/account/7"
    assert problem(stranger.order("a.lan")) == (400, "accountDoesNotExist")
    assert problem(acme.call("new-order", payload, alg="none")) == (
        400,
        "badSignatureAlgorithm",
    )
    assert problem(acme.call("new-order", payload, jwk=jwk_of(acme.key))) == (400, "malformed")
    message["payload"] = jws.pad(b'{"identifiers": []}')
    assert acme.post(url, message).status_code == 400


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"protected": 5}', b"x" * 70_000,
                                  b'{"protected":"e30","payload":"","signature":""}'])  # fmt: skip
def test_what_is_no_message_is_malformed(client, ca, body):
    answer = client.post(f"/pki/acme/{ca.pk}/new-order", body, "application/jose+json")
    assert problem(answer)[0] == 400


@pytest.mark.parametrize("name", ["*.lan", "10.0.0.1", "-a.lan", "a..lan", "a b", "", "x" * 64, "ü.lan",
                                  "a.lan/../x", "a.lan:80", "a@b.lan"])  # fmt: skip
def test_what_is_no_host_name_cannot_be_ordered(acme, name):
    assert problem(acme.order(name)) == (400, "rejectedIdentifier")


def test_orders_are_for_some_names_of_the_dns(acme):
    assert problem(acme.order()) == (400, "malformed")
    assert problem(acme.order(*(f"a{n}.lan" for n in range(21)))) == (400, "malformed")
    for identifiers in ("x", [5], [{"type": "ip", "value": "10.0.0.1"}], [{"type": "dns"}]):
        answer = acme.call("new-order", {"identifiers": identifiers})
        assert answer.status_code == 400


def test_a_certificate_is_for_exactly_what_was_shown(acme):
    order = acme.order("a.lan").json()
    key = keys.generate("256")
    early = acme.call(order["finalize"], {"csr": csr_of(key, "a.lan")})
    assert problem(early) == (403, "orderNotReady")
    AcmeAuthorization.objects.update(status="valid")
    for csr in (
        csr_of(key, "b.lan"),
        csr_of(key, "a.lan", "b.lan"),
        csr_of(key, "a.lan", common_name="b.lan"),
        csr_of(key, "a.lan", addresses=[x509.RFC822Name("root@a.lan")]),
        csr_of(acme.key, "a.lan"),
        jws.pad(b"x"),
        "",
    ):
        assert problem(acme.call(order["finalize"], {"csr": csr})) == (400, "badCSR")
    assert acme.call(order["finalize"], {"csr": 5}).status_code == 400
    assert acme.call(order["finalize"], {}).status_code == 400
    assert not Cert.objects.exists()
    assert acme.call(order["finalize"], {"csr": csr_of(key, "a.lan")}).status_code == 200


def test_a_name_whose_key_is_kept_here_is_not_taken_over(acme, ca):
    factories.cert(ca, common_name="a.lan")
    order = proven(acme, "a.lan").json()
    csr = csr_of(keys.generate("256"), "a.lan")
    answer = acme.call(order["finalize"], {"csr": csr})
    assert problem(answer) == (400, "rejectedIdentifier")


def test_orders_of_others_do_not_exist(acme, client, ca):
    order = acme.order("a.lan")
    other = Acme(client, ca)
    other.register()
    for url in (order["Location"], order.json()["finalize"], order.json()["authorizations"][0],
                order["Location"] + "/certificate"):  # fmt: skip
        assert other.call(url, {}).status_code == 404
    assert problem(other.call(acme.kid, {})) == (403, "unauthorized")


def test_an_account_cannot_pile_up_orders(acme, monkeypatch):
    monkeypatch.setattr("pki.rules.acme.MOST_UNFINISHED", 2)
    for _ in range(2):
        assert acme.order("a.lan").status_code == 201
    assert problem(acme.order("a.lan")) == (429, "rateLimited")
    AcmeOrder.objects.update(expires=timezone.now())
    assert acme.order("a.lan").status_code == 201


def test_the_workers_know_what_beat_and_the_rules_ask_them_for(settings):
    from controller.celery import app
    from pki.rules import acme

    app.loader.import_default_modules()
    names = [entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()]
    assert {acme.VALIDATE, *(name for name in names if name.startswith("pki."))} <= set(
        app.tasks
    )


def test_an_order_that_expired_is_invalid_and_forgotten(acme):
    order = acme.order("a.lan")
    AcmeOrder.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert acme.call(order["Location"]).json()["status"] == "invalid"
    tasks.validate_lost()
    assert not AcmeOrder.objects.exists()


class Answering(BaseHTTPRequestHandler):
    def do_GET(self):
        text = self.server.answers.get(self.path, "")
        if text.startswith("http"):
            self.send_response(302)
            self.send_header("Location", text)
            self.end_headers()
            return
        self.send_response(200 if text else 404)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def web():
    server = HTTPServer(("127.0.0.1", 0), Answering)
    server.answers = {}
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def challenge_of(acme, name="localhost"):
    order = acme.order(name).json()
    (challenge,) = acme.call(order["authorizations"][0]).json()["challenges"]
    return order, challenge


def test_a_name_is_asked_and_its_answer_decides(acme, web, settings):
    settings.PKI_HTTP01_PORT = web.server_port
    right = jws.thumbprint(jwk_of(acme.key))
    for served, status in ((right, "valid"), ("wrong", "invalid"), (None, "invalid")):
        order, challenge = challenge_of(acme)
        token = challenge["token"]
        if served:
            web.answers[f"/.well-known/acme-challenge/{token}"] = f"{token}.{served}\n"
        assert acme.call(challenge["url"]).json()["status"] == "pending", (
            "looking changes nothing"
        )
        begun = acme.call(challenge["url"], {})
        assert begun.json()["status"] == "processing"
        assert 'rel="up"' in begun["Link"]
        tasks.validate(AcmeAuthorization.objects.get(token=token).pk)
        after = acme.call(challenge["url"]).json()
        assert after["status"] == status
        assert ("error" in after) == (status == "invalid")
        state = acme.call(order["authorizations"][0]).json()["status"]
        assert state == status


def test_a_validation_whose_message_was_lost_is_done_by_beat(acme, web, settings):
    settings.PKI_HTTP01_PORT = web.server_port
    _, challenge = challenge_of(acme)
    acme.call(challenge["url"], {})
    assert tasks.validate_lost() == 0, "a worker may be at it"
    AcmeAuthorization.objects.update(modified=timezone.now() - timedelta(minutes=1))
    assert tasks.validate_lost() == 1
    assert acme.call(challenge["url"]).json()["status"] == "invalid"


def test_redirects_are_followed_within_the_same_name_alone(web):
    path, port = "/.well-known/acme-challenge/t", web.server_port
    web.answers = {path: f"http://localhost:{port}/moved", "/moved": "t.x"}
    assert http01.fetch("localhost", "t", port=port) == "t.x"
    for target in (f"http://127.0.0.1:{port}/moved", "http://localhost:22/", "https://other/",
                   f"http://localhost:{port}{path}"):  # fmt: skip
        web.answers[path] = target
        with pytest.raises(Unreachable):
            http01.fetch("localhost", "t", port=port)
    with pytest.raises(Unreachable, match="does not answer"):
        http01.fetch("localhost", "t", port=free_port())


def bound(acme, device, **changes):
    values = {"kid": str(device.pk), "key": device.key, "jwk": jwk_of(acme.key)} | changes
    url = f"{acme.base}/new-account"
    header = jws.pad(json.dumps({"alg": "HS256", "kid": values["kid"], "url": url}).encode())
    payload = jws.pad(json.dumps(values["jwk"]).encode())
    mac = hmac.digest(values["key"].encode(), f"{header}.{payload}".encode(), "sha256")
    return {"protected": header, "payload": payload, "signature": jws.pad(mac)}


def test_a_device_speaks_for_its_own_names_by_its_key_alone(client, organization):
    ca = factories.ca(organization, enrollment="devices")
    device = factories.device(organization, name="router-7")
    acme = Acme(client, ca)
    assert problem(acme.register()) == (403, "externalAccountRequired")
    for changes in ({"key": "wrong"}, {"kid": "nobody"}):
        binding = bound(acme, device, **changes)
        assert problem(acme.register(externalAccountBinding=binding)) == (403, "unauthorized")
    other = bound(acme, device, jwk=jwk_of(keys.generate("256")))
    assert problem(acme.register(externalAccountBinding=other)) == (400, "malformed")
    assert acme.register(externalAccountBinding=bound(acme, device)).status_code == 201
    order = acme.order("router-7", str(device.pk))
    assert order.json()["status"] == "ready", "its key has shown it already"
    assert problem(acme.order("router-8")) == (400, "rejectedIdentifier")
    csr = csr_of(keys.generate("256"), "router-7", str(device.pk))
    assert acme.call(order.json()["finalize"], {"csr": csr}).status_code == 200
    device.is_deactivated = True
    device.save()
    assert problem(acme.order("router-7")) == (403, "unauthorized")


def test_a_device_of_another_organization_gets_nothing(client, organization):
    ca = factories.ca(organization, enrollment="devices")
    acme = Acme(client, ca)
    stranger = factories.device(factories.organization())
    answer = acme.register(externalAccountBinding=bound(acme, stranger))
    assert problem(answer) == (403, "unauthorized")


def test_an_account_changes_its_key_and_contact_and_ends(acme, client, ca):
    new = keys.generate("ed25519")
    url = f"{acme.base}/key-change"
    old = jwk_of(acme.key)
    inner = sign(new, {"jwk": jwk_of(new), "url": url}, {"account": acme.kid, "oldKey": old})
    assert problem(acme.call("key-change", inner | {"signature": "AA"})) == (400, "malformed")
    wrong = sign(new, {"jwk": jwk_of(new), "url": url}, {"account": "x", "oldKey": old})
    assert problem(acme.call("key-change", wrong)) == (400, "malformed")
    assert acme.call("key-change", inner).status_code == 200
    assert problem(acme.call(acme.kid)) == (400, "malformed"), "the old key is unknown"
    acme.key = new
    changed = acme.call(acme.kid, {"contact": ["mailto:a@b.example"]})
    assert changed.json()["contact"] == ["mailto:a@b.example"]
    for contact, code in (("x", "invalidContact"), (["tel:1"], "unsupportedContact")):
        assert problem(acme.call(acme.kid, {"contact": contact})) == (400, code)
    assert acme.call(acme.kid, {"status": "deactivated"}).json()["status"] == "deactivated"
    assert problem(acme.order("a.lan")) == (403, "unauthorized")
    missing = Acme(client, ca)
    assert problem(missing.register(onlyReturnExisting=True)) == (400, "accountDoesNotExist")


def test_a_certificate_is_revoked_by_who_ordered_it_or_has_its_key(acme, client, ca):
    key = keys.generate("256")
    order = proven(acme, "a.lan").json()
    acme.call(order["finalize"], {"csr": csr_of(key, "a.lan")})
    cert = Cert.objects.get()
    der = jws.pad(cert.parsed.public_bytes(serialization.Encoding.DER))
    stranger = Acme(client, ca)
    stranger.register()
    assert problem(stranger.call("revoke-cert", {"certificate": der})) == (403, "unauthorized")
    assert problem(acme.call("revoke-cert", {"certificate": der, "reason": 99})) == (
        400, "badRevocationReason",
    )  # fmt: skip
    assert acme.call("revoke-cert", {"certificate": jws.pad(b"x")}).status_code == 400
    assert acme.call("revoke-cert", {}).status_code == 400
    owner = Acme(client, ca, key)
    assert owner.call("revoke-cert", {"certificate": der, "reason": 4}).status_code == 200
    assert problem(acme.call("revoke-cert", {"certificate": der})) == (400, "alreadyRevoked")
    foreign = factories.cert(factories.ca(ca.organization)).parsed
    der = jws.pad(foreign.public_bytes(serialization.Encoding.DER))
    assert acme.call("revoke-cert", {"certificate": der}).status_code == 400


def test_revoking_by_rule_reaches_what_acme_issued(acme, ca):
    order = proven(acme, "a.lan").json()
    acme.call(order["finalize"], {"csr": csr_of(keys.generate("256"), "a.lan")})
    rules.revoke(Cert.objects.get())
    again = proven(acme, "a.lan").json()
    done = acme.call(again["finalize"], {"csr": csr_of(keys.generate("256"), "a.lan")})
    assert done.status_code == 200, "a new row, since the old one is final"
    assert Cert.objects.count() == 2


@options(max_examples=200, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e"]), inner)))  # fmt: skip
def test_no_key_whatever_raises_anything_but_a_refusal(jwk):
    assert set(refusal(lambda: jws.public_key(jwk))) <= {"jwk"}


def test_weak_keys_are_refused():
    numbers = keys.generate("2048").public_key().public_numbers()
    good = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    assert jws.public_key(good)
    for changes in ({"n": number(2**1023 + 1)}, {"e": "AQ"}, {"n": number(numbers.n) + "="}):
        with pytest.raises(Rejected):
            jws.public_key(good | changes)
    with pytest.raises(Rejected):
        jws.public_key({"kty": "EC", "crv": "P-256", "x": number(1, 32), "y": number(1, 32)})
