"""Valid JSON bodies that cannot be stored or answered."""

import json

import pytest

pytestmark = pytest.mark.django_db
DEVICES = "/api/v1/controller/device/"


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ("[" * 100_000, "detail", "JSON parse error"),
        ('{"name": ' + "[" * 3000 + "]" * 3000 + "}", "detail", "nested too deeply"),
        ("{bad", "detail", "Expecting property name"),
        (b"\xff\xfe", "detail", "JSON parse error"),
        (r'{"name": "\ud800"}', "name", "Surrogate"),
        (r'{"config": {"config": {"\udfff": 1}}}', "config", "Surrogate"),
        (r'{"config": {"context": {"a": ["x\u0000"]}}}', "config", "Null"),
        (r'["\u0000"]', "non_field_errors", "Null"),
        (r'{"a\ud800": 1}', "a\\ud800", "Surrogate"),
    ],
)
def test_what_could_not_be_stored_is_a_400(api, admin, body, field, words):
    answer = api(admin).post(DEVICES, body, content_type="application/json")
    assert answer.status_code == 400
    told = answer.json()[field]
    assert words in (told if field == "detail" else told[0])


@pytest.mark.parametrize("body", ["[" * 20_000, '{"a":' * 5_000, r'{"username": "\u0000"}'])
def test_a_sign_in_reads_bodies_as_everything_does(client, body):
    answer = client.post("/api/v1/auth/token", body, content_type="application/json")
    assert answer.status_code in {400, 422}


def test_whole_characters_of_every_kind_pass(api, admin, organization):
    body = json.dumps({"name": "ap", "organization": str(organization.pk), "notes": "😀 \\u0000",
                       "mac_address": "02:00:00:00:00:09"})  # fmt: skip
    assert "\\ud83d" in body
    answer = api(admin).post(DEVICES, body, content_type="application/json")
    assert answer.json()["notes"] == "😀 \\u0000"


def test_an_error_that_repeats_half_a_character_is_still_an_answer(api, admin, organization):
    wanted = {"name": "x", "organization": organization.pk, "digest": "%ED%A0%80"}
    answer = api(admin).post(
        "/api/v1/controller/ca/",
        "&".join(f"{name}={value}" for name, value in wanted.items()),
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == 400
    extensions = r'[{"name":"\ud800"}]'
    answer = api(admin).post(
        "/api/v1/controller/ca/", wanted | {"extensions": extensions, "digest": "sha256"},
        format="multipart",
    )  # fmt: skip
    assert answer.status_code == 400
    assert "extensions" in answer.json()
