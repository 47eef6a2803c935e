"""Gets a certificate with the unmodified acme library, revokes it, and closes the account.

Usage: python acme_library.py DIRECTORY PORT      Writes the certificate to stdout.
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import josepy
from acme import challenges, client, crypto_util, messages
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

directory, port = sys.argv[1], int(sys.argv[2])
answers = {}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answers.get(self.path, b""))

    def log_message(self, *args):
        """Keep stderr for errors."""


def new_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


server = HTTPServer(("127.0.0.1", port), Handler)
Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
network = client.ClientNetwork(josepy.JWKRSA(key=new_key()), user_agent="test")
acme = client.ClientV2(client.ClientV2.get_directory(directory, network), network)
account = acme.new_account(
    messages.NewRegistration.from_data(email="noc@example.org", terms_of_service_agreed=True)
)
pem = new_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
order = acme.new_order(crypto_util.make_csr(pem, ["localhost"]))
(challenge,) = [
    one
    for one in order.authorizations[0].body.challenges
    if isinstance(one.chall, challenges.HTTP01)
]
response, validation = challenge.response_and_validation(network.key)
answers[challenge.path] = validation.encode()
acme.answer_challenge(challenge, response)
finished = acme.poll_and_finalize(order)
leaf = x509.load_pem_x509_certificate(finished.fullchain_pem.encode())
acme.revoke(leaf, 1)
acme.deactivate_registration(account)
sys.stdout.write(finished.fullchain_pem)
