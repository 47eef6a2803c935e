import base64
import hmac

import pytest

from controller.notifications.engine.kinds import ABOUT, FOUND, KINDS, kind_of, text_of
from controller.notifications.engine.signing import (
    PAUSES,
    key_of,
    new_secret,
    pause_after,
    signature,
)


def test_only_what_somebody_can_do_something_about_is_told() -> None:
    assert kind_of("device.status", {"status": "offline"}) is not None
    assert kind_of("device.status", {"status": "unknown"}) is None
    assert kind_of("config.status", {"status": "modified"}) is None
    assert kind_of("rollout.progress", {"state": "running"}) is None


def test_every_event_that_is_told_has_a_kind_and_a_row() -> None:
    for (event, _), (kind, permission) in FOUND.items():
        assert kind in KINDS
        assert ":" in permission
        assert event in ABOUT or event == "certificate.expiring"


def test_the_text_has_the_reason_where_there_is_one() -> None:
    told = text_of("connection_is_not_working", {"name": "ap-1", "reason": "no route"})
    assert told == "ap-1 is offline: no route"
    assert text_of("connection_is_not_working", {"name": "ap-{1}"}) == "ap-{1} is offline"


def test_a_signature_is_what_standard_webhooks_says() -> None:
    # Example of the specification (standardwebhooks.com).
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    made = signature(secret, message="msg_p5jXN8AQM9LWM0D4loKWxJek", at=1614265330, body=body)
    assert made == expected
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + body
    assert base64.b64encode(hmac.digest(key, signed, "sha256")).decode() == expected[3:]


def test_a_new_secret_is_long_and_a_short_one_is_refused() -> None:
    assert len(key_of(new_secret())) == 32
    for bad in ("whsec_", "whsec_c2hvcnQ=", "not base64 at all!"):
        with pytest.raises(ValueError, match="secret"):
            key_of(bad)


def test_pauses_grow_and_end() -> None:
    assert [pause_after(at + 1) for at in range(len(PAUSES))] == sorted(PAUSES)
    assert pause_after(len(PAUSES) + 1) is None
