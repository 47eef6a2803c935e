import pytest

from controller.base.masking import (
    MASK,
    looks_secret,
    masked,
    masked_text,
    secrets_in,
)

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "name",
    ["key", "key1", "psk", "wifi_key", "password", "wifiPassword", "private_key", "secret",
     "auth_secret", "passphrase", "api_token", "wps_pin", "sae_password"],
)  # fmt: skip
def test_names_of_secrets_are_known(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name", ["keyboard", "ssid", "name", "monkey_island", "pinned", "host"]
)
def test_names_of_other_things_are_not_taken_for_secrets(name: str) -> None:
    assert not looks_secret(name)


def test_a_copy_of_the_configuration_has_no_secret_left() -> None:
    config = {
        "interfaces": [{"wireless": {"ssid": "Guests", "encryption": {"key": "hidden1"}}}],
        "files": [{"path": "/etc/id", "contents": KEY}],
        "password": ["hidden2", "hidden3"],
        "key": "",
        "port": 22,
    }
    shown = masked(config)
    assert shown["interfaces"][0]["wireless"] == {"ssid": "Guests", "encryption": {"key": MASK}}
    assert shown["password"] == [MASK, MASK]
    assert "b3BlbnNzaC1r" not in shown["files"][0]["contents"]
    assert (shown["key"], shown["port"]) == ("", 22)
    assert set(secrets_in(config)) == {"hidden1", "hidden2", "hidden3"}


def test_a_file_shows_its_shape_and_none_of_its_secrets() -> None:
    text = (
        "config wifi-iface 'wlan0'\n\toption ssid 'Guests'\n\toption key 'it'\\''s hidden'\n"
        f"{KEY}echo 'a hidden word'\nlist psk 'abc'\n"
    )
    shown = masked_text(text, ["a hidden word", "a hidden", "abc"])
    assert "option ssid 'Guests'" in shown
    assert f"option key '{MASK}'" in shown
    assert f"echo '{MASK}'" in shown
    for secret in ("hidden", "b3BlbnNzaC1r", "abc"):
        assert secret not in shown
