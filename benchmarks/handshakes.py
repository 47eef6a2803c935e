"""WireGuard's initiator, as far as a relay sees it: handshakes and keepalives.

Thousands of members fit into one process this way. Nothing is decrypted.
"""

import hashlib
import hmac
import socket
import struct
import time
from base64 import b64decode

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

CONSTRUCTION = hashlib.blake2s(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s").digest()
IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
ZERO_NONCE, NO_KEY = bytes(12), bytes(32)
TAI64_OFFSET = 2**62 + 10


def mix(*parts: bytes) -> bytes:
    return hashlib.blake2s(b"".join(parts)).digest()


def derive(key: bytes, material: bytes, count: int) -> list[bytes]:
    secret = hmac.digest(key, material, "blake2s")
    found, last = [], b""
    for number in range(1, count + 1):
        last = hmac.digest(secret, last + bytes([number]), "blake2s")
        found.append(last)
    return found


def raw(key: X25519PublicKey) -> bytes:
    return key.public_bytes_raw()


class Initiator:
    """One member's session with one peer."""

    def __init__(self, private: str, peer: str, index: int) -> None:
        self.static = X25519PrivateKey.from_private_bytes(b64decode(private))
        self.public = raw(self.static.public_key())
        self.peer = b64decode(peer)
        self.index = index
        self.receiver = b""
        self.cipher: ChaCha20Poly1305 | None = None
        self.counter = 0

    def hello(self) -> bytes:
        """Return the first message of a handshake."""
        peer = X25519PublicKey.from_public_bytes(self.peer)
        self.ephemeral = X25519PrivateKey.generate()
        mine = raw(self.ephemeral.public_key())
        state = mix(CONSTRUCTION, IDENTIFIER)
        state = mix(mix(state, self.peer), mine)
        (chain,) = derive(CONSTRUCTION, mine, 1)
        chain, key = derive(chain, self.ephemeral.exchange(peer), 2)
        static = ChaCha20Poly1305(key).encrypt(ZERO_NONCE, self.public, state)
        state = mix(state, static)
        chain, key = derive(chain, self.static.exchange(peer), 2)
        seconds, rest = divmod(time.time_ns(), 10**9)
        stamp = struct.pack(">QI", TAI64_OFFSET + seconds, rest)
        self.chain = chain
        sealed = ChaCha20Poly1305(key).encrypt(ZERO_NONCE, stamp, state)
        head = struct.pack("<II", 1, self.index) + mine + static + sealed
        proof = hashlib.blake2s(head, key=mix(b"mac1----", self.peer), digest_size=16).digest()
        return head + proof + bytes(16)

    def take(self, answer: bytes) -> bool:
        """Make the session from the peer's answer. Returns whether it was one."""
        if answer[:4] != struct.pack("<I", 2):
            return False
        theirs = answer[12:44]
        other = X25519PublicKey.from_public_bytes(theirs)
        (chain,) = derive(self.chain, theirs, 1)
        (chain,) = derive(chain, self.ephemeral.exchange(other), 1)
        (chain,) = derive(chain, self.static.exchange(other), 1)
        chain, _, _ = derive(chain, NO_KEY, 3)
        send, _ = derive(chain, b"", 2)
        self.receiver, self.cipher, self.counter = answer[4:8], ChaCha20Poly1305(send), 0
        return True

    def keepalive(self) -> bytes:
        """Return an empty message, from which the peer learns the address."""
        assert self.cipher is not None
        count = struct.pack("<Q", self.counter)
        self.counter += 1
        head = struct.pack("<I", 4) + self.receiver + count
        return head + self.cipher.encrypt(bytes(4) + count, b"", b"")


class Radio:
    """A member's socket, which changes its address."""

    def __init__(self, session: Initiator, target: tuple[str, int]) -> None:
        self.session, self.target = session, target
        self.socket: socket.socket | None = None
        self.shaken = 0.0

    def move(self, made: socket.socket) -> None:
        if self.socket is not None:
            self.socket.close()
        self.socket = made
        made.setblocking(False)  # noqa: FBT003 - the standard library's
        if self.session.cipher is not None:
            self.keep_alive()

    def shake(self) -> None:
        assert self.socket is not None
        self.socket.sendto(self.session.hello(), self.target)

    def hear(self) -> None:
        """Take what has come, and confirm a session, which the peer needs."""
        assert self.socket is not None
        try:
            while answer := self.socket.recv(2048):
                if self.session.take(answer):
                    self.shaken = time.monotonic()
                    self.keep_alive()
        except BlockingIOError:
            return

    def keep_alive(self) -> None:
        assert self.socket is not None
        self.socket.sendto(self.session.keepalive(), self.target)


def bound(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, port))
    return made
